// Invariant: every committed change of a captured table has its row in headwater.log, written in the same transaction. One
// generated function per table: a generic one reads its table's columns anew for every row and costs a third more.
import type { TableDefinition } from '@headwater/schema'
import { limits } from '../limits.ts'
import { columnName, columnOf, literal, quoted, snakeCase, tableName } from './name.ts'
import { keyToArray, objectOf, rowToObject, scopesOf } from './row.ts'
import { toJson } from './value.ts'

/** Two scripts, each of which puts its part in place when it is run again. The triggers alone lock the table. */
export interface Capture {
  readonly routine: string
  readonly triggers: string
}

/** A table as it is in the database. */
export interface FoundTable {
  /** Those of its columns, by SQL name. */
  readonly types: ReadonlyMap<string, string>
  /** False: it is somebody else's, who has granted TRIGGER. Only an owner may say that a trigger fires always, and drop one. */
  readonly isOwned: boolean
}

/** What of a table of the schema its capture depends on, beside its columns. Names are SQL's. */
export interface Capturing {
  /** Columns that grants read: of those that devices do not know, it is logged that they changed, and not what is in them. */
  readonly read: ReadonlySet<string>
  /** Those of them by which the people are found whom a change concerns. */
  readonly named: ReadonlySet<string>
  /** Whether the log holds rows, or their keys alone: then they are read from their table, in the snapshot of the step. */
  readonly kind: 'rows' | 'keys'
}

/** Of one table of the schema. A row whose columns have other types than those found is not captured wrongly, but refused. */
export function captureTable(name: string, table: TableDefinition, capturing: Capturing, { types, isOwned }: FoundTable): Capture {
  const sqlName = snakeCase(name)
  const known = new Set(Object.keys(table.columns).map(snakeCase))
  const watched = [...capturing.read].filter((column) => !known.has(column)).map(quoted)
  const images = imagesOf(sqlName, table, capturing)
  const routine = `
create or replace function ${captureFunction(sqlName)}() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp${hasFloats(table) ? ' set extra_float_digits = 1' : ''} as $capture$
declare
  before_image text;
  after_image text;
  by_key boolean := ${capturing.kind === 'keys'};
begin
  ${checkTable(sqlName)}
  if tg_op = 'TRUNCATE' then
    insert into headwater.log (table_name, op) values (${literal(sqlName)}, 't');
    return null;
  end if;
  ${checkTypes(sqlName, table, types)}
  if tg_op = 'UPDATE' then${watched.length === 0 ? '' : watchedChange(sqlName, watched)}
    before_image := ${images.changed};
    if before_image = '{}' then return null; end if;
  end if;
  if tg_op <> 'DELETE' then
    ${images.after}
  end if;
  if tg_op = 'UPDATE' then
    if ${keyToArray(table, 'old')} = ${keyToArray(table, 'new')} then${images.shortened}
      insert into headwater.log (table_name, op, key, scopes_before, scopes_after, old, new, by_key)
      values (${literal(sqlName)}, 'u', ${keyToArray(table, 'new')}, ${scopesOf(table, 'old')}, ${scopesOf(table, 'new')}, before_image::json, after_image::json, by_key);
      return null;
    end if;
  end if;
  -- A changed key is a delete and an insert.
  if tg_op <> 'INSERT' then
    ${images.before}
    insert into headwater.log (table_name, op, key, scopes_before, old)
    values (${literal(sqlName)}, 'd', ${keyToArray(table, 'old')}, ${scopesOf(table, 'old')}, before_image::json);
  end if;
  if tg_op <> 'DELETE' then
    insert into headwater.log (table_name, op, key, scopes_after, new, by_key)
    values (${literal(sqlName)}, 'i', ${keyToArray(table, 'new')}, ${scopesOf(table, 'new')}, after_image::json, by_key);
  end if;
  return null;
end $capture$;
revoke all on function ${captureFunction(sqlName)}() from public;`
  return { routine, triggers: triggers(tableName(name), captureFunction(sqlName), isOwned) }
}

/**
 * What is logged of a row, as statements and expressions. Of a row that no device could take, only what is logged where the log has keys: it is looked at
 * again where it is read. A mutation that makes one is refused.
 */
function imagesOf(sqlName: string, table: TableDefinition, { named, kind }: Capturing) {
  const bytesMax = limits.rowBytesMax + namesBytes(table)
  const refuse = `if nullif(current_setting('headwater.mutation', true), '') is not null then
        raise exception using errcode = 'HW001', constraint = 'too-large', message = ${literal(`A row of ${sqlName} would have more than ${limits.rowBytesMax} bytes.`)};
      end if;`
  const brief = (row: string) => objectOf(table, row, (column) => named.has(column))
  if (kind === 'keys') {
    const measured = `if nullif(current_setting('headwater.mutation', true), '') is not null and octet_length(${rowToObject(table, 'new')}) > ${bytesMax} then
      ${refuse}
    end if;`
    return {
      changed: changedColumns(table, named),
      after: `after_image := ${brief('new')};\n    ${measured}`,
      shortened: '',
      before: `before_image := ${brief('old')};`,
    }
  }
  return {
    changed: changedColumns(table, null),
    after: `after_image := ${rowToObject(table, 'new')};
    if octet_length(after_image) > ${bytesMax} then
      ${refuse}
      after_image := ${brief('new')};
      by_key := true;
    end if;`,
    shortened: `
      if octet_length(before_image) > ${bytesMax} then before_image := ${changedColumns(table, named)}; end if;`,
    before: `before_image := ${rowToObject(table, 'old')};
    if octet_length(before_image) > ${bytesMax} then before_image := ${brief('old')}; end if;`,
  }
}

/**
 * A table that grants read and devices do not hold. Of a row whose `read` columns change, the `named` ones are logged before and after: those
 * by which the people concerned are found. Without any, that the table changed is logged, not what. Names are SQL's; the table is in schema public.
 */
export function captureDependency(name: string, read: readonly string[], named: readonly string[], isOwned: boolean): Capture {
  const table = `public.${quoted(name)}`
  const body = named.length === 0 ? logged(name, []) : rowOfDependency(name, read, named)
  const routine = `
create or replace function ${captureFunction(name)}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $capture$
begin
  ${checkTable(name)}
  ${body}
  return null;
end $capture$;
revoke all on function ${captureFunction(name)}() from public;`
  const ofStatements = [
    dropTriggers(table, isOwned),
    trigger('0_headwater_changed', table, 'insert or update or delete or truncate', `statement execute function ${captureFunction(name)}()`, isOwned),
    wakeTrigger(table, isOwned),
  ].join('\n')
  return { routine, triggers: named.length === 0 ? ofStatements : triggers(table, captureFunction(name), isOwned) }
}

/** In the place of a table's capture, while the table is such that it cannot be captured: whoever writes to it is told why. */
export const closedCapture = (name: string, trouble: string): string => `
create or replace function ${captureFunction(name)}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $capture$
begin
  raise exception using errcode = 'HW004', message = ${literal(`headwater: ${name} cannot be written to, because its changes could not be captured: ${trouble}`)}, hint = ${literal(mendHint)};
end $capture$;
revoke all on function ${captureFunction(name)}() from public;`

/** In the place of a table's capture during a migration: that the table was written to is told by a barrier, once. */
export const barrierCapture = (name: string): string => `
create or replace function ${captureFunction(name)}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $capture$
begin
  if current_setting('headwater.barriers', true) is null or position(${literal(`|${name}|`)} in current_setting('headwater.barriers', true)) = 0 then
    perform set_config('headwater.barriers', coalesce(current_setting('headwater.barriers', true), '') || ${literal(`|${name}|`)}, true);
    ${barrier(name)}
  end if;
  return null;
end $capture$;
revoke all on function ${captureFunction(name)}() from public;`

/** What captures runs as a role that can do nothing else and that nobody can log in as: to be run after each routine, where there is that role. */
export const ownCapture = (name: string): string => `alter function ${captureFunction(name)}() owner to ${captureRole};`
export const captureRole = 'headwater_capture'

/** Whoever is behind it loads the table again. */
export const barrier = (name: string): string => `insert into headwater.log (table_name, op) values (${literal(name)}, 'b');`

/** With its triggers, wherever they are. */
export const dropCapture = (name: string): string => `drop function if exists ${captureFunction(name)}() cascade;`

export const mendHint = 'Make table and schema fit each other again, and run `headwater migrate`.'

function rowOfDependency(name: string, read: readonly string[], named: readonly string[]): string {
  const image = (row: string) => `json_build_object(${named.map((column) => `${literal(column)}, ${row}.${quoted(column)}::text`).join(', ')})`
  // Compared as text: there are types without equality.
  const compared = read.map((column) => `old.${quoted(column)}::text is not distinct from new.${quoted(column)}::text`)
  return `if tg_op = 'TRUNCATE' then
    ${logged(name, [])}
    return null;
  end if;
  if tg_op = 'UPDATE' then
    if ${compared.join(' and ') || 'true'} then return null; end if;
  end if;
  ${logged(name, [`case when tg_op <> 'INSERT' then ${image('old')} end`, `case when tg_op <> 'DELETE' then ${image('new')} end`])}`
}

const logged = (name: string, images: readonly string[]) =>
  `insert into headwater.log (table_name, op${images.length > 0 ? ', old, new' : ''}) values (${[literal(name), "'g'", ...images].join(', ')});`

/** A temporary table with a trigger of its own could forge rows of this one. A partition of it is another table, whose rows are this one's. */
const checkTable = (name: string) => `if (tg_table_schema <> 'public' or tg_table_name <> ${literal(name)})
    and not exists (select from pg_partition_ancestors(tg_relid) a where a = ${literal(`public.${quoted(name)}`)}::regclass) then
    raise exception 'headwater: % is not the table that % captures', tg_relid::regclass, ${literal(name)} using errcode = 'HW004', hint = ${literal(mendHint)};
  end if;`

/** ALTER TYPE would otherwise change what is logged, in sessions that begin after it. */
function checkTypes(sqlName: string, table: TableDefinition, types: ReadonlyMap<string, string>): string {
  const columns = Object.keys(table.columns).map(snakeCase)
  // Of a deleted row the new one is null, and has the same types.
  const fit = columns.map((column) => `pg_typeof(new.${quoted(column)}) = ${literal(types.get(column) ?? 'unknown')}::regtype`)
  return `if not (${fit.join(' and ')}) then
    raise exception using errcode = 'HW004', message = ${literal(`headwater: the columns of ${sqlName} are not those that are captured`)}, hint = ${literal(mendHint)};
  end if;`
}

/** For grants such a column is like a table that only they read. As text: json has no equality. */
const watchedChange = (sqlName: string, watched: readonly string[]) => `
    if ${watched.map((column) => `old.${column}::text is distinct from new.${column}::text`).join(' or ')} then
      insert into headwater.log (table_name, op) values (${literal(sqlName)}, 'g');
    end if;`

const captureFunction = (name: string) => `headwater.${quoted(`capture_${name}`)}`

/** After-row triggers run in the order of their names: ours first, so that what an app's trigger does is logged after its cause. */
const triggers = (table: string, capture: string, isOwned: boolean) =>
  [
    dropTriggers(table, isOwned),
    trigger('0_headwater_rows', table, 'insert or update or delete', `row execute function ${capture}()`, isOwned),
    trigger('0_headwater_truncate', table, 'truncate', `statement execute function ${capture}()`, isOwned),
    wakeTrigger(table, isOwned),
  ].join('\n')

/** Of both forms: a table that only grants read may become one of the schema. */
const dropTriggers = (table: string, isOwned: boolean) => (isOwned ? ourTriggers : []).map((name) => `drop trigger if exists "${name}" on ${table};`).join('\n')

const ourTriggers = ['0_headwater_rows', '0_headwater_truncate', '0_headwater_changed', '9_headwater_wake']

const wakeTrigger = (table: string, isOwned: boolean) =>
  trigger('9_headwater_wake', table, 'insert or update or delete or truncate', 'statement execute function headwater.wake_trigger()', isOwned)

/** ALWAYS: also where session_replication_role would skip triggers. */
const trigger = (name: string, table: string, events: string, action: string, isOwned: boolean) =>
  `create or replace trigger "${name}" after ${events} on ${table} for each ${action};${isOwned ? `\nalter table ${table} enable always trigger "${name}";` : ''}`

/** A JSON object of the old values of what changed, as text; with `named`, of other columns only their names. */
function changedColumns(table: TableDefinition, named: ReadonlySet<string> | null): string {
  const parts = Object.entries(table.columns).map(([name, column]) => {
    const sqlName = columnName(name)
    const value =
      named === null || named.has(snakeCase(name))
        ? `${literal(`,"${snakeCase(name)}":`)} || ${toJson(column, `old.${sqlName}`)}`
        : literal(`,"${snakeCase(name)}":null`)
    return `case when old.${sqlName} is distinct from new.${sqlName} then ${value} else '' end`
  })
  return `'{' || substr(${parts.join(' || ')}, 2) || '}'`
}

/** What the object of a row has more than the array that devices get. */
const namesBytes = (table: TableDefinition) => Object.keys(table.columns).reduce((sum, name) => sum + Buffer.byteLength(snakeCase(name)) + 3, 0)

const hasFloats = (table: TableDefinition) =>
  Object.keys(table.columns).some((name) => {
    const column = columnOf(table, name)
    return column.type === 'float' || column.element?.type === 'float'
  })
