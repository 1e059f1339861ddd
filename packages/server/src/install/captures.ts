// Invariant: what headwater.captures says of a table, its triggers and functions, and the barrier that a change of them needs are one commit.
import type { Schema } from '@headwater/schema'
import type { Transaction } from '../ports.ts'
import type { Relation } from '../scopes/relation.ts'
import {
  barrier,
  barrierCapture,
  type Capture,
  captureDependency,
  captureTable,
  closedCapture,
  dropCapture,
  type FoundTable,
  ownCapture,
} from '../sql/capture.ts'
import { snakeCase } from '../sql/name.ts'
import { storedType } from '../sql/value.ts'
import { hasChanged, misfitOf, parseForm, readForms } from './catalogue.ts'
import { readRights } from './rights.ts'

/** What of a table a capture covers. */
export interface Shape {
  readonly key: readonly string[]
  readonly scopes: readonly string[]
  /** SQL names of the columns that are logged, with how they are encoded. */
  readonly columns: Readonly<Record<string, string>>
  /** Of which it is only logged that they changed. */
  readonly watched: readonly string[]
  /** Of a table that only grants read: those by which the people concerned are found. */
  readonly named: readonly string[]
}

/** Names of tables in the schema of which the log has keys in the place of rows. */
export type CaptureKinds = Readonly<Record<string, 'keys' | undefined>>

/** A table that is to be captured. */
export interface Wanted {
  readonly name: string
  readonly shape: Shape
  capture(found: FoundTable): Capture
  /** Why it cannot be, or null. `form`: what the catalogue says; null: there is no such table. */
  misfit(form: string | null): string | null
}

/** Tables of the schema, and those that only grants read. */
export function wantedOf(schema: Schema, relations: readonly Relation[], kinds: CaptureKinds): readonly Wanted[] {
  const captured = new Set(Object.keys(schema.definitions).map(snakeCase))
  const reads = relations.flatMap((relation) => relation.reads)
  const dependencies = [...new Set(reads.map(({ table }) => table))].filter((name) => !captured.has(name))
  return [
    ...Object.keys(schema.definitions).map((name) => wantedTable(schema, name, relations, kinds[name] ?? 'rows')),
    ...dependencies.map((name) => wantedDependency(name, relations)),
  ]
}

function wantedTable(schema: Schema, key: string, relations: readonly Relation[], kind: 'rows' | 'keys'): Wanted {
  const [name, table] = [snakeCase(key), schema.definitions[key]]
  if (table === undefined) throw new Error(`no table ${key}`)
  const reads = relations.flatMap((relation) => relation.reads.filter((one) => one.table === name))
  const read = new Set(reads.flatMap((one) => one.columns))
  const named = new Set(reads.flatMap((one) => [...one.user, ...one.key]))
  const columns = Object.fromEntries(Object.entries(table.columns).map(([column, definition]) => [snakeCase(column), storedType(definition)]))
  return {
    name,
    shape: {
      key: table.key.map(snakeCase),
      scopes: table.memberships.map(({ kind, column, load }) => `${kind} ${snakeCase(column)} ${load}`),
      columns,
      watched: [...read].filter((column) => !Object.hasOwn(columns, column)).sort(),
      named: [],
    },
    capture: (found) => captureTable(key, table, { read, named, kind }, found),
    misfit: (form) => misfitOf(name, table, form === null ? null : parseForm(form)),
  }
}

function wantedDependency(name: string, relations: readonly Relation[]): Wanted {
  const own = relations.flatMap(({ reads }) => reads.filter(({ table }) => table === name))
  const watched = [...new Set(own.flatMap(({ columns }) => columns))].sort()
  const named = [...new Set(own.flatMap(({ user, key }) => [...user, ...key]))].sort()
  return {
    name,
    shape: { key: [], scopes: [], columns: {}, watched, named },
    capture: ({ isOwned }) => captureDependency(name, watched, named, isOwned),
    misfit: (form) => {
      if (form === null) return `there is no table ${name} in schema public`
      const { columns } = parseForm(form)
      const gone = [...watched, ...named].find((column) => !Object.hasOwn(columns, column))
      return gone === undefined ? null : `there is no column ${name}.${gone}`
    },
  }
}

/** Whether a capture of one shape serves where another is wanted: of servers that run side by side one may know more than the other. */
export function covers(has: Shape, wanted: Shape): boolean {
  const logs = (column: string) => Object.hasOwn(has.columns, column)
  const isSynced = Object.keys(wanted.columns).length > 0
  return (
    (!isSynced || JSON.stringify(has.key) === JSON.stringify(wanted.key)) &&
    wanted.scopes.every((scope) => has.scopes.includes(scope)) &&
    Object.entries(wanted.columns).every(([column, type]) => has.columns[column] === type) &&
    wanted.watched.every((column) => logs(column) || has.watched.includes(column)) &&
    wanted.named.every((column) => logs(column) || has.named.includes(column))
  )
}

/** What lies on devices. */
const onDevices = ({ key, scopes, columns }: Shape) => JSON.stringify([key, scopes, Object.entries(columns).sort()])

export interface PutOptions {
  /** Tables that were made in this transaction: nobody holds a row of them. */
  readonly made: ReadonlySet<string>
  /** True: what serves, and covers more than is wanted, is replaced as well, and what is not wanted any more goes. */
  readonly isExact: boolean
  /** Told of a table that does not fit. Where it returns, the table is closed: nobody can write to it. */
  readonly onMisfit: (name: string, trouble: string) => void
}

interface InPlace {
  readonly script: string
  readonly shape: Shape
  readonly form: string
  readonly trouble: string | null
}

/** Functions and triggers as this version makes them; replaced only where they differ, since replacing triggers locks the table. Answers the tables that are to be loaded again. */
export async function putCaptures(transaction: Transaction, wanted: readonly Wanted[], { made, isExact, onMisfit }: PutOptions): Promise<readonly string[]> {
  const inPlace = await readInPlace(transaction)
  const names = wanted.map(({ name }) => name)
  const forms = await readForms(transaction, names)
  const rights = await readRights(transaction, names)
  const put = new Map<string, { readonly script: string; readonly shape: Shape; readonly trouble: string | null }>()
  const barriers: string[] = []
  for (const one of wanted) {
    const { name, shape } = one
    const form = forms.get(name) ?? null
    const trouble = one.misfit(form)
    if (trouble !== null || form === null) {
      onMisfit(name, trouble ?? '')
      await transaction.execute(closedCapture(name, trouble ?? ''))
      put.set(name, { script: '[]', shape, trouble })
      continue
    }
    const has = inPlace.get(name)
    const { routine, triggers } = one.capture({ types: typesIn(form), isOwned: rights.owned.has(name) })
    const columns = [...Object.keys(shape.columns), ...shape.watched, ...shape.named]
    const isChanged = has === undefined || has.trouble !== null || hasChanged(has.form, form, columns)
    const serves = has !== undefined && covers(has.shape, shape) && (!isExact || covers(shape, has.shape))
    // Of what covers more, the script is somebody else's.
    const script = JSON.stringify([routine, triggers])
    const isAsMade = has?.script === script || (serves && !covers(shape, has.shape))
    if (isChanged || !serves || !isAsMade) {
      const isTriggered = has !== undefined && !hasChanged(has.form, form, []) && namedAlike(has.shape, shape)
      await transaction.execute([routine, ...(rights.mayGive ? [ownCapture(name)] : []), ...(isTriggered ? [] : [triggers])].join('\n'))
      put.set(name, { script, shape, trouble: null })
      const isOther = isChanged || (!serves && onDevices(has.shape) !== onDevices(shape))
      if (isOther && inPlace.size > 0 && !made.has(name) && (has !== undefined || shape.scopes.length > 0)) barriers.push(name)
    } else if (has.form !== form) put.set(name, { script: has.script, shape: has.shape, trouble: null })
  }
  if (isExact) await dropUnwanted(transaction, inPlace, wanted)
  await remember(transaction, put)
  await tell(transaction, barriers)
  return barriers
}

/** Of a row or of a statement: the triggers are others. */
const namedAlike = (a: Shape, b: Shape) => a.scopes.length + a.key.length + a.named.length > 0 === b.scopes.length + b.key.length + b.named.length > 0

const typesIn = (form: string) => new Map(Object.entries(parseForm(form).columns).map(([column, [type]]) => [column, type]))

async function readInPlace(transaction: Transaction): Promise<ReadonlyMap<string, InPlace>> {
  const rows = await transaction.query('select name, script, shape, form, trouble from headwater.captures')
  return new Map(
    rows.map((row) => [
      String(row.name),
      {
        script: String(row.script),
        // remember() wrote it.
        shape: JSON.parse(String(row.shape)) as Shape,
        form: String(row.form),
        trouble: row.trouble === null ? null : String(row.trouble),
      },
    ]),
  )
}

/** Writes to captured tables, until `putBack`, are told by barriers: rows of a migration may be as no capture expects them, and a million of them are no million changes. */
export async function putBarriers(transaction: Transaction): Promise<{ readonly putBack: () => Promise<void> }> {
  const inPlace = await readInPlace(transaction)
  for (const name of inPlace.keys()) await transaction.execute(barrierCapture(name))
  return {
    putBack: async () => {
      for (const [name, { script, trouble }] of inPlace) {
        // remember() wrote it: the routine, and the triggers.
        const [routine = ''] = trouble === null ? (JSON.parse(script) as readonly string[]) : [closedCapture(name, trouble)]
        await transaction.execute(routine)
      }
    },
  }
}

async function dropUnwanted(transaction: Transaction, inPlace: ReadonlyMap<string, unknown>, wanted: readonly Wanted[]): Promise<void> {
  for (const name of inPlace.keys()) {
    if (wanted.some((one) => one.name === name)) continue
    await transaction.execute(dropCapture(name))
    await transaction.query('delete from headwater.captures where name = $1', [name])
  }
}

/** With the form that the tables have now. */
async function remember(
  transaction: Transaction,
  put: ReadonlyMap<string, { readonly script: string; readonly shape: Shape; readonly trouble: string | null }>,
) {
  const forms = await readForms(transaction, [...put.keys()])
  for (const [name, { script, shape, trouble }] of put) {
    await transaction.query(
      `insert into headwater.captures (name, script, shape, form, trouble) values ($1, $2, $3, $4, $5)
         on conflict (name) do update set script = excluded.script, shape = excluded.shape, form = excluded.form, trouble = excluded.trouble`,
      [name, script, JSON.stringify(shape), forms.get(name) ?? emptyForm, trouble],
    )
  }
}

/** What is remembered of a table that is not there. */
export const emptyForm = JSON.stringify({ columns: {}, rest: '' })

async function tell(transaction: Transaction, barriers: readonly string[]): Promise<void> {
  if (barriers.length > 0) await transaction.execute(`${barriers.map(barrier).join('\n')}\nselect headwater.wake();`)
}
