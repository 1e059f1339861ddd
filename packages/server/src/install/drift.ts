// Notices what others do to captured tables: DDL, triggers disabled or dropped, partitions attached, functions replaced.
// Invariant: of a table that does not fit nothing is loaded; one whose capture was off for a while is loaded again by all who hold it.
import { HeadwaterError } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { limits } from '../limits.ts'
import type { Clock, Database } from '../ports.ts'
import type { Relation } from '../scopes/relation.ts'
import { mendHint } from '../sql/capture.ts'
import { literal, snakeCase } from '../sql/name.ts'
import { type CaptureKinds, covers, emptyForm, putCaptures, type Shape, wantedOf } from './captures.ts'
import { define } from './define.ts'

export interface Drift {
  /** Looks now: what was committed before the call is seen. Resolves when what was found is put right, or known to be wrong; rejects if the database cannot be asked. */
  look(): Promise<void>
  /** Why tables of the schema, by their names there, cannot be served now. */
  troubles(): ReadonlyMap<string, string>
  stop(): Promise<void>
}

interface DriftDeps {
  readonly database: Database
  readonly clock: Clock
  readonly schema: Schema
  readonly capture: CaptureKinds
  readonly relations: readonly Relation[]
  readonly onTrouble: (error: unknown) => void
}

export function createDrift({ database, clock, schema, capture, relations, onTrouble }: DriftDeps): Drift {
  const wanted = wantedOf(schema, relations, capture)
  const names = JSON.stringify(wanted.map(({ name }) => name))
  const keys = new Map(Object.keys(schema.definitions).map((name) => [snakeCase(name), name]))
  // Shapes that serve, by the text that was judged.
  const serving = new Map<string, string>()
  let reported: ReadonlyMap<string, string> = new Map()
  let troubles: ReadonlyMap<string, string> = new Map()
  let looking: Promise<void> | null = null
  let next: Promise<void> | null = null
  let isStopped = false
  // What the catalogue was like when there was nothing to put right.
  let judged: string | null = null
  let failedBefore: string | null = null
  let cancel = clock.timer(limits.driftMs, turn)

  function turn(): void {
    look()
      .catch(failed)
      .finally(() => {
        if (!isStopped) cancel = clock.timer(limits.driftMs, turn)
      })
  }

  /** The feed reports a database that is not there; what this role may not mend is said once. */
  function failed(error: unknown): void {
    const message = error instanceof HeadwaterError && error.code !== 'connection' ? error.message : null
    if (message !== null && message !== failedBefore) onTrouble(error)
    failedBefore = message
  }

  function look(): Promise<void> {
    if (looking === null) return begin()
    // What is under way may have asked already.
    next ??= looking
      .catch(() => {})
      .then(() => {
        next = null
        return begin()
      })
    return next
  }

  function begin(): Promise<void> {
    looking = lookOnce().finally(() => {
      looking = null
    })
    return looking
  }

  async function lookOnce(): Promise<void> {
    const rows = await database.query('select headwater.catalogue_mark(array(select json_array_elements_text($1::text::json))) as mark', [names])
    const mark = String(rows[0]?.mark)
    if (mark === judged) return
    const first = await compare()
    if (first.moved.length === 0) {
      judged = mark
      return report(first.found)
    }
    const mended = await define(database, (transaction) =>
      putCaptures(
        transaction,
        wanted.filter(({ name }) => first.moved.includes(name)),
        { made: new Set(), isExact: false, onMisfit: () => {} },
      ),
    ).catch((error: unknown) => {
      const found = first.moved.map((name) => [name, 'it was changed, and this server cannot put back what captures it'] as const)
      report(new Map([...first.found, ...found]))
      throw error
    })
    for (const name of mended) onTrouble(mendedTrouble(name))
    report((await compare()).found)
  }

  /** By SQL names: what others have changed and this server can put right, and what is wrong. */
  async function compare(): Promise<{ readonly moved: readonly string[]; readonly found: ReadonlyMap<string, string> }> {
    const rows = await database.query(compareSql, [names, JSON.stringify(Object.fromEntries(serving))])
    const moved: string[] = []
    const found = new Map<string, string>()
    // compareSql answers these columns.
    for (const { name, is_moved: isMoved, shape, digest, trouble } of rows as unknown as readonly Compared[]) {
      const mine = wanted.find((one) => one.name === name)?.shape
      // putCaptures wrote it.
      const its: Shape | null = shape === null ? null : (JSON.parse(shape) as Shape)
      const serves = its === null || (mine !== undefined && covers(its, mine))
      const isMine = its === null || (serves && mine !== undefined && covers(mine, its))
      if (isMoved && isMine) moved.push(name)
      if (trouble !== null) found.set(name, trouble)
      else if (!serves || (isMoved && !isMine)) found.set(name, 'it is captured as the schema of another server needs it')
      else if (digest !== null) serving.set(name, digest)
    }
    return { moved, found }
  }

  function report(found: ReadonlyMap<string, string>): void {
    for (const [name, trouble] of found) if (reported.get(name) !== trouble) onTrouble(misfitTrouble(name, trouble))
    reported = found
    troubles = new Map([...found].map(([name, trouble]) => [keys.get(name) ?? name, trouble]))
  }

  return {
    look,
    troubles: () => troubles,
    stop: async () => {
      isStopped = true
      cancel()
      await (next ?? looking)?.catch(() => {})
    },
  }
}

interface Compared {
  readonly name: string
  readonly is_moved: boolean
  /** null: nothing is known of a capture. */
  readonly shape: string | null
  readonly digest: string | null
  readonly trouble: string | null
}

/** Of the tables `$1` those that are not as they were left, do not fit, or are captured in another shape than `$2` says. */
const compareSql = `select * from (
    select w.name, coalesce(k.form, ${literal(emptyForm)}) is distinct from c.form as is_moved, c.shape, md5(c.shape) as digest, c.trouble
      from json_array_elements_text($1::text::json) w(name)
      left join headwater.catalogue(array(select json_array_elements_text($1::text::json))) k on k.name = w.name
      left join headwater.captures c on c.name = w.name) compared
  where is_moved or trouble is not null or digest is distinct from ($2::text::json ->> name)`

const mendedTrouble = (name: string) =>
  new HeadwaterError(
    'drift',
    `Somebody changed table ${name}, or what captures it. It is captured as it should be again, and devices load it anew.`,
    'Changes of definitions go through files in migrations/ and `headwater migrate`.',
  )

const misfitTrouble = (name: string, trouble: string) => new HeadwaterError('schema', `Table ${name} cannot be served: ${trouble}.`, mendHint)
