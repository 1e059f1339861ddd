// The rows of a page that is made on a server, as the person's device would have them: by the grants of the snapshot in which they are read.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { type PageData, type QueryDefinition, type Schema, tableOf } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Identity } from '../feed/cursor.ts'
import { limits } from '../limits.ts'
import type { Database, Transaction } from '../ports.ts'
import { selectStatement } from '../sql/select.ts'
import { partlyShown } from '../sql/shown.ts'

export interface PageDeps {
  readonly database: Database
  readonly schema: Schema
  readonly grants: Grants
  readonly identity: Identity
  readonly troubles: () => ReadonlyMap<string, string>
  /** Resolves when the server has read the log as far as it is committed. */
  readonly reach: () => Promise<unknown>
}

export type AskedPage = readonly { readonly text: string; readonly definition: QueryDefinition }[]

/** Of one query, where it has no limit of its own. */
const rowsMax = 1_000

/** See `Server.page`. */
export async function readPage({ database, schema, grants, identity, troubles, reach }: PageDeps, user: string, asked: AskedPage): Promise<PageData> {
  for (const { definition } of asked) check(definition, troubles())
  const data = await database.transaction('read', async (transaction) => {
    await transaction.query(`select set_config('statement_timeout', $1, true)`, [String(limits.requestMsMax)])
    const [now] = await transaction.query('select pg_current_snapshot()::text as snapshot')
    const results: PageData['results'][number][] = []
    for (const { text, definition } of asked) results.push({ text, table: definition.table, rows: await rowsOf(transaction, schema, grants, user, definition) })
    return { user, ...identity, snapshot: String(now?.snapshot), results }
  })
  // A device that greets this server finds it where the page was, or behind it.
  await reach()
  return data
}

function check({ table, plan }: QueryDefinition, troubles: ReadonlyMap<string, string>): void {
  if (plan !== undefined) throw new HeadwaterError('query', 'A page on the server takes rows as they are.', 'Leave `with` and `aggregate` to the device.')
  if (troubles.has(table)) throw new HeadwaterError('unavailable', `Table ${table} cannot be read now.`, 'headwater status says why.')
}

async function rowsOf(transaction: Transaction, schema: Schema, grants: Grants, user: string, definition: QueryDefinition) {
  const table = tableOf(schema, definition.table)
  const statement = selectStatement(table, { ...definition, limit: definition.limit ?? rowsMax }, grants, user)
  const columns = Object.keys(table.columns)
  const partly = partlyShown(table)
  const found = await transaction.query(statement.text, statement.parameters)
  return found.map((one) => {
    const values = listOf(one.row)
    const shown = one.shown === undefined ? [] : listOf(one.shown)
    const hidden = partly.filter((_, at) => one.shown !== undefined && shown[at] !== true)
    // A column that the person does not see of this row is not null: it is not there, as on a device.
    return Object.fromEntries(columns.map((column, at) => [column, values[at] ?? null] as const).filter(([column]) => !hidden.includes(column)))
  })
}

// Our own SQL made it.
const listOf = (text: unknown) => JSON.parse(String(text)) as readonly Json[]
