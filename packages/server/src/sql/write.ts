// Insert, update and delete of one row, each one statement that also judges whether the person may: so a mutation's statements can be
// sent without waiting for each other. A refusal is raised in the database (HW001) and undoes the transaction.
//
// Invariant: what the rules are judged on is what is written: the row before is that of the statement's snapshot, the row after what the
// statement has made of it, in the mutation's transaction (S5). A row before that the person does not see is the same as none.
import type { Json } from '@headwater/protocol'
import { type Demand, demandsOf, type TableDefinition, type WriteVerb } from '@headwater/schema'
import type { Statement } from '../ports.ts'
import { columnName, columnOf, literal, tableName } from './name.ts'
import { createParameters, createPerson, type Parameters, permit } from './permit.ts'
import { type Guard, type Images, ruleSql } from './rule.ts'
import { shownSql } from './shown.ts'
import { castType, fromJson } from './value.ts'

/** A row's encoded values by column name, each checked against its column. */
export type EncodedRow = Readonly<Record<string, Json>>

export interface Write {
  readonly name: string
  readonly table: TableDefinition
  readonly row: EncodedRow
  /** update and delete: values the row must have before, or the write is refused with `conflict`. */
  readonly expect: EncodedRow
  /** null: nobody is asked. */
  readonly guard: Guard | null
}

/** Columns that are not named get their default. */
export function insertStatement(write: Write): Statement {
  const { name, table, row } = write
  const parameters = createParameters()
  const source = `${parameters.add(JSON.stringify(row))}::text::json`
  const columns = Object.keys(row)
  const values = columns.map((column) => fromJson(columnOf(table, column), 'input.row', column))
  const allowed = createAllowed(write, 'insert', columns, parameters)
  const refusals = allowed.demands.map((demand) => refuseUnless(allowed.by(demand, { row: 'changed' }), 'forbidden', reasonOf('insert', name, demand)))
  const text = `with input as (select ${source} as row),
    changed as (insert into ${tableName(name)} as t (${columns.map(columnName).join(', ')}) select ${values.join(', ')} from input returning t.*)
    select ${['1', ...refusals].join(',\n      ')} from changed`
  return { text, parameters: parameters.list }
}

/** Writes the named columns. The row is judged as it was and as it becomes. */
export function updateStatement(write: Write): Statement {
  const { name, table, row, expect } = write
  const parameters = createParameters()
  const input = `${parameters.add(JSON.stringify({ row, expect }))}::text::json`
  const changing = Object.keys(row).filter((column) => !table.key.includes(column))
  // An update that names nothing but the key still needs the row to be there.
  const sets = (changing.length > 0 ? changing : table.key).map(
    (column) => `${columnName(column)} = ${fromJson(columnOf(table, column), `(select input.row from input)`, column)}`,
  )
  const isIt = keyCondition(table)
  const allowed = createAllowed(write, 'update', changing, parameters)
  const may = (demand: Demand) =>
    [
      allowed.by(demand, { row: 'before', before: 'before', after: 'changed' }),
      allowed.by(demand, { row: 'changed', before: 'before', after: 'changed' }),
    ].join(' and ')
  const refusals = [
    refuseUnless('exists (select 1 from before)', 'absent', absentReason(name)),
    ...allowed.expecting(expect),
    refuseUnless('exists (select 1 from changed)', 'conflict', conflictReason(name)),
    ...allowed.demands.map((demand) => refuseUnless(`(select ${may(demand)} from before, changed)`, 'forbidden', reasonOf('update', name, demand))),
  ]
  const text = `with input as (select i.value -> 'row' as row, i.value -> 'expect' as expect from (select ${input} as value) i),
    before as (select t.* from ${tableName(name)} t where ${isIt}${allowed.isSeen}),
    changed as (update ${tableName(name)} t set ${sets.join(', ')} where ${isIt} and exists (select 1 from before)${expectCondition(table, expect)} returning t.*)
    select ${refusals.join(',\n      ')}`
  return { text, parameters: parameters.list }
}

/** What is not there, or not this person's to see, is not deleted, and no error. */
export function deleteStatement(write: Write): Statement {
  const { name, table, row, expect } = write
  const parameters = createParameters()
  const input = `${parameters.add(JSON.stringify({ row, expect }))}::text::json`
  const isIt = keyCondition(table)
  const allowed = createAllowed(write, 'delete', [], parameters)
  const refusals = [
    ...allowed.expecting(expect),
    ...(Object.keys(expect).length === 0
      ? []
      : [refuseUnless('exists (select 1 from changed) or not exists (select 1 from before)', 'conflict', conflictReason(name))]),
    ...allowed.demands.map((demand) =>
      refuseUnless(
        `not exists (select 1 from before where (${allowed.by(demand, { row: 'before' })}) is not true)`,
        'forbidden',
        reasonOf('delete', name, demand),
      ),
    ),
  ]
  const text = `with input as (select i.value -> 'row' as row, i.value -> 'expect' as expect from (select ${input} as value) i),
    before as (select t.* from ${tableName(name)} t where ${isIt}${allowed.isSeen}),
    changed as (delete from ${tableName(name)} t where ${isIt} and exists (select 1 from before)${expectCondition(table, expect)} returning 1)
    select ${['(select count(*) from changed)::text as deleted', ...refusals].join(',\n      ')}`
  return { text, parameters: parameters.list }
}

interface Allowed {
  /** What must hold of the row before for the person to know of it, as the end of a condition. */
  readonly isSeen: string
  readonly demands: readonly Demand[]
  by(demand: Demand, images: Images): string
  /** Refusals of what is expected of columns that the person does not see, whatever is in them. */
  expecting(expect: EncodedRow): readonly string[]
}

/** What the rules demand of a write, ready to be put into its statement. */
function createAllowed({ name, table, guard }: Write, verb: WriteVerb, columns: readonly string[], parameters: Parameters): Allowed {
  if (guard === null) return { isSeen: '', demands: [], by: () => 'true', expecting: () => [] }
  const person = createPerson(guard.user, parameters)
  const demands = demandsOf(guard.access, name, table, verb, columns).filter(({ rule }) => rule.type !== 'constant' || !rule.value)
  return {
    isSeen: verb === 'insert' ? '' : ` and ${permit(table, guard.grants, 't', person, parameters)}`,
    demands,
    by: ({ rule }, images) => ruleSql({ ...guard, table, person, parameters }, rule, images),
    expecting: (expect) => {
      const shown = shownSql(table, guard.grants, 'before', person, parameters)
      return Object.keys(expect).flatMap((column) => {
        const condition = shown(column)
        return condition === null
          ? []
          : [refuseUnless(`not exists (select 1 from before where not ${condition})`, 'hidden', `You do not see ${name}.${column}.`)]
      })
    },
  }
}

const refuseUnless = (condition: string, code: string, reason: string) => `headwater.refuse_unless(${condition}, ${literal(code)}, ${literal(reason)})::text`

/** Names the table and the columns, never a value. */
function reasonOf(verb: WriteVerb, name: string, { columns }: Demand): string {
  if (columns.length > 0) return `You may not write ${columns.join(', ')} of ${name}.`
  return {
    insert: `You may not add this row to ${name}.`,
    update: `You may not change this row of ${name} so.`,
    delete: `You may not delete this row of ${name}.`,
  }[verb]
}

/** The same words whether the row is missing or somebody else's. */
const absentReason = (name: string) => `There is no such row in ${name} that you may change.`
const conflictReason = (name: string) => `The row in ${name} is not as expected: it was changed in between.`

const keyCondition = (table: TableDefinition) =>
  table.key.map((column) => `t.${columnName(column)} = ${fromJson(columnOf(table, column), '(select input.row from input)', column)}`).join(' and ')

const expectCondition = (table: TableDefinition, expect: EncodedRow) =>
  Object.keys(expect)
    .map((column) => {
      const definition = columnOf(table, column)
      return ` and t.${columnName(column)} is not distinct from (${fromJson(definition, '(select input.expect from input)', column)})::${castType(definition)}`
    })
    .join('')
