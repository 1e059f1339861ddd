import { HeadwaterError, type Json, type Mutation, type UserId } from '@headwater/protocol'
import { decodeValue, derivedId, encodeValue, type QueryDefinition, queryOf, type Schema, type TableDefinition, type Tx } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { enqueueStatement } from '../jobs/enqueue.ts'
import type { After } from '../jobs/job.ts'
import type { Statement, Transaction } from '../ports.ts'
import { selectStatement } from '../sql/select.ts'
import { deleteStatement, type EncodedRow, insertStatement, updateStatement } from '../sql/write.ts'
import { uuidOf } from './id.ts'

export interface Writer {
  readonly schema: Schema
  readonly grants: Grants
  readonly user: UserId
}

/** The statement of a built-in mutation. `args` are as a device encoded them, and are checked here as the device should have. */
export function builtinStatement(writer: Writer, name: string, verb: string, args: Json): Statement | null {
  const table = Object.hasOwn(writer.schema.definitions, name) ? writer.schema.definitions[name] : undefined
  if (table === undefined || (verb !== 'insert' && verb !== 'update' && verb !== 'delete')) return null
  const { row, expect } = partsOf(args)
  return writeStatement(writer, name, table, verb, checked(name, table, row), checked(name, table, expect))
}

/** What a mutator works with on the server. */
export function createServerTx(writer: Writer, mutation: Mutation, transaction: Transaction): Tx & After {
  let ids = 0
  let jobs = 0
  const tables = Object.entries(writer.schema.definitions).map(([name, table]) => {
    const write = (verb: Verb) => async (row: Readonly<Record<string, unknown>>) => {
      const { text, parameters } = writeStatement(writer, name, table, verb, encoded(name, table, row, verb), {})
      await transaction.query(text, parameters)
    }
    return [name, { insert: write('insert'), update: write('update'), delete: write('delete') }]
  })
  const queries = Object.entries(writer.schema.definitions).map(([name, table]) => [
    name,
    queryOf(name, table, (definition) => readingOf(writer, table, definition, transaction)),
  ])
  const after: After['after'] = async (job, payload, when = {}) => {
    const { text, parameters } = enqueueStatement(uuidOf('job', writer.user, mutation.id, String(++jobs)), job, payload, when)
    await transaction.query(text, parameters)
  }
  const rest = { query: Object.fromEntries(queries), user: writer.user, id: () => derivedId(mutation.id, ++ids), now: () => mutation.at, after }
  // One member per table of the schema, as Tx says; the schema's types are not known here.
  return { ...Object.fromEntries(tables), ...rest } as Tx & After
}

type Verb = 'insert' | 'update' | 'delete'

function writeStatement({ grants, user }: Writer, name: string, table: TableDefinition, verb: Verb, row: EncodedRow, expect: EncodedRow): Statement {
  for (const column of table.key) {
    if (row[column] === undefined) throw new HeadwaterError('invalid', `${name}.${column} is part of the key and is not given.`, 'Name the row.')
  }
  const write = { name, table, row, expect, user, grants }
  return { insert: insertStatement, update: updateStatement, delete: deleteStatement }[verb](write)
}

function readingOf(writer: Writer, table: TableDefinition, definition: QueryDefinition, transaction: Transaction) {
  const rows = async (asked: QueryDefinition) => {
    const { text, parameters } = selectStatement(table, asked, writer.grants, writer.user)
    const found = await transaction.query(text, parameters)
    return found.map((one) => rowOf(table, String(one.row)))
  }
  return { all: () => rows(definition), first: async () => (await rows({ ...definition, limit: Math.min(1, definition.limit ?? 1) }))[0] }
}

function rowOf(table: TableDefinition, encoded: string): Readonly<Record<string, unknown>> {
  // Our own SQL made it: an array of encoded values in the order of the columns.
  const values = JSON.parse(encoded) as readonly Json[]
  return Object.fromEntries(Object.entries(table.columns).map(([name, column], i) => [name, decodeValue(column, values[i])]))
}

function encoded(name: string, table: TableDefinition, row: Readonly<Record<string, unknown>>, verb: Verb): EncodedRow {
  const given = Object.entries(row).filter(([column, value]) => value !== undefined && (verb !== 'delete' || table.key.includes(column)))
  return Object.fromEntries(given.map(([column, value]) => [column, encodeValue(columnOrThrow(name, table, column), value, `${name}.${column}`)]))
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
