import { HeadwaterError, type Json, type Mutation, type UserId } from '@headwater/protocol'
import {
  decodeValue,
  derivedId,
  encodeValue,
  type QueryDefinition,
  queryOf,
  type Schema,
  type TableDefinition,
  type Tx,
  type WriteVerb,
} from '@headwater/schema'
import { enqueueStatement } from '../jobs/enqueue.ts'
import type { After } from '../jobs/job.ts'
import type { Statement, Transaction } from '../ports.ts'
import type { Guard } from '../sql/rule.ts'
import { selectStatement } from '../sql/select.ts'
import { partlyShown } from '../sql/shown.ts'
import { deleteStatement, type EncodedRow, insertStatement, updateStatement } from '../sql/write.ts'
import { uuidOf } from './id.ts'

export interface Writer extends Guard {
  readonly user: UserId
  /** Runs before every write. */
  readonly onWrite?: (table: string, verb: WriteVerb) => void
}

/** The statement of a built-in mutation. `args` are as a device encoded them, and are checked here as the device should have. */
export function builtinStatement(writer: Writer, name: string, verb: string, args: Json): Statement | null {
  const table = Object.hasOwn(writer.schema.definitions, name) ? writer.schema.definitions[name] : undefined
  if (table === undefined || (verb !== 'insert' && verb !== 'update' && verb !== 'delete')) return null
  const { row, expect } = partsOf(args)
  writer.onWrite?.(name, verb)
  return writeStatement(writer, name, table, verb, checked(name, table, row), checked(name, table, expect))
}

/**
 * What a mutator works with on the server. A mutator of the server's own gets `unchecked` besides: every table and column of
 * `serverSchema`, and no questions asked.
 */
export function createServerTx(writer: Writer, mutation: Mutation, transaction: Transaction, serverSchema: Schema | null): Tx & After {
  let ids = 0
  let jobs = 0
  // The log says of each row whether it was written unchecked: by a setting of the transaction, which is changed when it is another.
  let isMarked = false
  const mark = async (isUnchecked: boolean) => {
    if (isMarked === isUnchecked) return
    isMarked = isUnchecked
    await transaction.query(`select set_config('headwater.unchecked', $1, true)`, [isUnchecked ? 'on' : 'off'])
  }
  const members = ({ definitions }: Schema, guard: Guard | null) => {
    const tables = Object.entries(definitions).map(([name, table]) => {
      const write = (verb: WriteVerb) => async (row: Values) => {
        const shown = guard === null ? (writer.schema.definitions[name] ?? null) : null
        const { text, parameters } = writeStatement(guard, name, table, verb, encoded(name, table, row, verb, shown), {})
        writer.onWrite?.(name, verb)
        await mark(guard === null)
        await transaction.query(text, parameters)
      }
      return [name, { insert: write('insert'), update: write('update'), delete: write('delete') }]
    })
    const queries = Object.entries(definitions).map(([name, table]) => [name, queryOf(name, table, (asked) => readingOf(guard, table, asked, transaction))])
    return { ...Object.fromEntries(tables), query: Object.fromEntries(queries) }
  }
  const unchecked = serverSchema && { unchecked: members(serverSchema, null) }
  const after: After['after'] = async (job, payload, when = {}) => {
    const { text, parameters } = enqueueStatement(uuidOf('job', writer.user, mutation.id, String(++jobs)), job, payload, when)
    await transaction.query(text, parameters)
  }
  const rest = { user: writer.user, id: () => derivedId(mutation.id, ++ids), now: () => mutation.at, after }
  // One member per table of the schema, as Tx says; the schema's types are not known here.
  return { ...members(writer.schema, writer), ...unchecked, ...rest } as Tx & After
}

type Values = Readonly<Record<string, unknown>>

function writeStatement(guard: Guard | null, name: string, table: TableDefinition, verb: WriteVerb, row: EncodedRow, expect: EncodedRow): Statement {
  for (const column of table.key) {
    if (row[column] === undefined) throw new HeadwaterError('invalid', `${name}.${column} is part of the key and is not given.`, 'Name the row.')
  }
  const write = { name, table, row, expect, guard }
  return { insert: insertStatement, update: updateStatement, delete: deleteStatement }[verb](write)
}

function readingOf(guard: Guard | null, table: TableDefinition, definition: QueryDefinition, transaction: Transaction) {
  const rows = async (asked: QueryDefinition) => {
    const { text, parameters } = selectStatement(table, asked, guard?.grants ?? null, guard?.user ?? '')
    const found = await transaction.query(text, parameters)
    return found.map((one) => rowOf(table, String(one.row), one.shown === undefined ? null : JSON.parse(String(one.shown))))
  }
  return { all: () => rows(definition), first: async () => (await rows({ ...definition, limit: Math.min(1, definition.limit ?? 1) }))[0] }
}

/** `shown` tells of the columns that not everybody sees which the person sees; null: all. The others are absent, as on a device. */
function rowOf(table: TableDefinition, encoded: string, shown: readonly boolean[] | null): Readonly<Record<string, unknown>> {
  // Our own SQL made it: an array of encoded values in the order of the columns.
  const values = JSON.parse(encoded) as readonly Json[]
  const hidden = new Set(shown && partlyShown(table).filter((_, i) => !shown[i]))
  const columns = Object.entries(table.columns).map(([name, column], i) => [name, decodeValue(column, values[i])] as const)
  return Object.fromEntries(columns.filter(([name]) => !hidden.has(name)))
}

/** `shown` are the columns that an error may speak of; null: all of them. Of the others a device hears nothing, not even that a value did not fit. */
function encoded(name: string, table: TableDefinition, row: Values, verb: WriteVerb, shown: TableDefinition | null): EncodedRow {
  const given = Object.entries(row).filter(([column, value]) => value !== undefined && (verb !== 'delete' || table.key.includes(column)))
  const encode = (column: string, value: unknown) => {
    try {
      return encodeValue(columnOrThrow(name, table, column), value, `${name}.${column}`)
    } catch (error) {
      if (shown === null || Object.hasOwn(shown.columns, column)) throw error
      throw new HeadwaterError('unchecked', error instanceof Error ? error.message : String(error))
    }
  }
  return Object.fromEntries(given.map(([column, value]) => [column, encode(column, value)]))
}

/** Encoded values from a device, through both directions of the one table of values: what passes is storable. */
function checked(name: string, table: TableDefinition, row: EncodedRow): EncodedRow {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const definition = columnOrThrow(name, table, column, 'unknown-mutator')
      return [column, encodeValue(definition, decodeValue(definition, value), `${name}.${column}`)]
    }),
  )
}

/** `unknown-mutator`: a device wrote it, whose app may be newer than this server. */
function columnOrThrow(name: string, table: TableDefinition, column: string, code: 'invalid' | 'unknown-mutator' = 'invalid') {
  const definition = Object.hasOwn(table.columns, column) ? table.columns[column] : undefined
  if (definition === undefined)
    throw new HeadwaterError(code, `There is no column ${name}.${column}.`, `The table has ${Object.keys(table.columns).join(', ')}.`)
  return definition
}

function partsOf(args: Json): { readonly row: EncodedRow; readonly expect: EncodedRow } {
  const { row, expect } = isObject(args) ? args : {}
  if (!isObject(row) || (expect !== undefined && !isObject(expect))) {
    throw new HeadwaterError('invalid', 'A built-in mutation takes { row, expect? }.', 'Use client.mutate, which makes it.')
  }
  return { row, expect: expect ?? {} }
}

const isObject = (value: Json | undefined): value is EncodedRow => typeof value === 'object' && value !== null && !Array.isArray(value)
