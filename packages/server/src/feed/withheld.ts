// Rows that are larger than any device could take: kept in a table for those who run the database, until they are not that large any more.
import { HeadwaterError } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { limits } from '../limits.ts'
import type { Clock, Database } from '../ports.ts'
import { snakeCase, tableName } from '../sql/name.ts'
import { rowToArray } from '../sql/row.ts'
import { isAt, type Withheld } from './settle.ts'

interface WithheldDeps {
  readonly database: Database
  readonly schema: Schema
  readonly clock: Clock
  readonly onTrouble: (error: unknown) => void
}

export interface WithheldRows {
  /** Of a row that was met; reported the first time. */
  add(row: Withheld): void
  /** Forgets those that have gone, or would be sent by now. It is done every minute as well. */
  look(): Promise<void>
  stop(): Promise<void>
}

export function createWithheld({ database, schema, clock, onTrouble }: WithheldDeps): WithheldRows {
  let known = new Set<string>()
  const met: Withheld[] = []
  let isStopped = false
  let wake = () => {}
  const running = run()

  /** They are met in the middle of transactions, in which an embedded database cannot be asked anything else: here nothing comes of one. */
  async function run(): Promise<void> {
    for (let lookAt = clock.now() + limits.pruneMs; ; ) {
      if (met.length === 0 && !isStopped) await rest(Math.max(0, lookAt - clock.now()))
      if (isStopped) return
      try {
        for (const row of met.splice(0)) await database.query(addSql, [snakeCase(row.table), row.key, String(row.bytes)])
        if (clock.now() < lookAt) continue
        lookAt = clock.now() + limits.pruneMs
        await look()
      } catch (error) {
        onTrouble(error)
      }
    }
  }

  function rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.timer(ms, resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })
  }

  function add(row: Withheld): void {
    const id = `${row.table} ${row.key}`
    if (known.has(id) || known.size >= limits.withheldMax) return
    known.add(id)
    onTrouble(tooLarge(row))
    met.push(row)
    wake()
  }

  async function look(): Promise<void> {
    const rows = await database.query('select distinct table_name from headwater.withheld')
    for (const { table_name } of rows) {
      const found = Object.entries(schema.definitions).find(([name]) => snakeCase(name) === table_name)
      const stays =
        found === undefined
          ? 'false'
          : `exists (select from ${tableName(found[0])} t where ${isAt(found[1], 'w.key::json')} and octet_length(${rowToArray(found[1], 't')}) > ${limits.rowBytesMax})`
      await database.query(`delete from headwater.withheld w where w.table_name = $1 and not ${stays}`, [String(table_name)])
    }
    // Whoever is met again is written down again.
    known = new Set()
  }

  return {
    add,
    look,
    stop: async () => {
      isStopped = true
      wake()
      await running
    },
  }
}

const addSql = `insert into headwater.withheld (table_name, key, bytes) select $1, $2, $3::text::bigint where (select count(*) from headwater.withheld) < ${limits.withheldMax}
  on conflict (table_name, key) do update set bytes = excluded.bytes`

const tooLarge = ({ table, bytes }: Withheld) =>
  new HeadwaterError(
    'withheld',
    `A row of ${table} with ${bytes} bytes reaches no device: more than ${limits.rowBytesMax} do not go into one message.`,
    '`headwater status` names its key. Keep what is large in a store for files, and its address in the row.',
    { table, bytes },
  )
