// Insert, update and delete of one row, each one statement that also judges whether the person may: so a mutation's statements can be
// sent without waiting for each other. A refusal is raised in the database (HW001) and undoes the transaction.
import type { Json } from '@headwater/protocol'
import type { TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Statement } from '../ports.ts'
import { columnName, columnOf, literal, tableName } from './name.ts'
import { createParameters, permit } from './permit.ts'
import { castType, fromJson } from './value.ts'

/** A row's encoded values by column name, each checked against its column. */
export type EncodedRow = Readonly<Record<string, Json>>

export interface Write {
  readonly name: string
  readonly table: TableDefinition
  readonly row: EncodedRow
  /** update and delete: values the row must have before, or the write is refused with `conflict`. */
  readonly expect: EncodedRow
  readonly user: string
  readonly grants: Grants
}

/** Columns that are not named get their default. */
export function insertStatement({ name, table, row, user, grants }: Write): Statement {
  const parameters = createParameters()
  const source = `${parameters.add(JSON.stringify(row))}::text::json`
  const columns = Object.keys(row)
  const values = columns.map((column) => fromJson(columnOf(table, column), 'input.row', column))
  const text = `with input as (select ${source} as row),
    changed as (insert into ${tableName(name)} as t (${columns.map(columnName).join(', ')}) select ${values.join(', ')} from input returning t.*)
    select headwater.refuse_unless(${permit(table, grants, 'changed', parameters.add(user), parameters)}, 'forbidden', ${literal(`You may not add this row to ${name}.`)})::text from changed`
  return { text, parameters: parameters.list }
}

/** Writes the named columns. The row is judged as it was and as it becomes. */
export function updateStatement({ name, table, row, expect, user, grants }: Write): Statement {
  const parameters = createParameters()
  const input = `${parameters.add(JSON.stringify({ row, expect }))}::text::json`
  const person = parameters.add(user)
  const changing = Object.keys(row).filter((column) => !table.key.includes(column))
  // An update that names nothing but the key still needs the row to be there.
  const sets = (changing.length > 0 ? changing : table.key).map(
    (column) => `${columnName(column)} = ${fromJson(columnOf(table, column), `(select input.row from input)`, column)}`,
  )
  const isIt = keyCondition(table)
  const may = permit(table, grants, 't', person, parameters)
  const text = `with input as (select i.value -> 'row' as row, i.value -> 'expect' as expect from (select ${input} as value) i),
    changed as (update ${tableName(name)} t set ${sets.join(', ')} where ${isIt} and ${may}${expectCondition(table, expect)} returning t.*)
    select headwater.refuse_unless(exists (select 1 from ${tableName(name)} t where ${isIt} and ${may}), 'absent', ${literal(absentReason(name))})::text,
      headwater.refuse_unless(exists (select 1 from changed), 'conflict', ${literal(`The row in ${name} is not as expected: it was changed in between.`)})::text,
      headwater.refuse_unless((select ${permit(table, grants, 'changed', person, parameters)} from changed), 'forbidden', ${literal(`You may not give this row of ${name} away.`)})::text`
  return { text, parameters: parameters.list }
}

/** What is not there, or not this person's, is not deleted, and no error. */
export function deleteStatement({ name, table, row, expect, user, grants }: Write): Statement {
  const parameters = createParameters()
  const input = `${parameters.add(JSON.stringify({ row, expect }))}::text::json`
  const may = permit(table, grants, 't', parameters.add(user), parameters)
  const isIt = keyCondition(table)
  const conflict =
    Object.keys(expect).length === 0
      ? ''
      : `, headwater.refuse_unless(exists (select 1 from changed) or not exists (select 1 from ${tableName(name)} t where ${isIt} and ${may}), 'conflict', ${literal(`The row in ${name} is not as expected: it was changed in between.`)})::text`
  const text = `with input as (select i.value -> 'row' as row, i.value -> 'expect' as expect from (select ${input} as value) i),
    changed as (delete from ${tableName(name)} t where ${isIt} and ${may}${expectCondition(table, expect)} returning 1)
    select (select count(*) from changed)::text as deleted${conflict}`
  return { text, parameters: parameters.list }
}

/** The same words whether the row is missing or somebody else's. */
export const absentReason = (name: string) => `There is no such row in ${name} that you may change.`

const keyCondition = (table: TableDefinition) =>
  table.key.map((column) => `t.${columnName(column)} = ${fromJson(columnOf(table, column), '(select input.row from input)', column)}`).join(' and ')

const expectCondition = (table: TableDefinition, expect: EncodedRow) =>
  Object.keys(expect)
    .map((column) => {
      const definition = columnOf(table, column)
      return ` and t.${columnName(column)} is not distinct from (${fromJson(definition, '(select input.expect from input)', column)})::${castType(definition)}`
    })
    .join('')
