// What a role may do, and what to say to its administrator where it may not.
import { HeadwaterError } from '@headwater/protocol'
import type { Database, Transaction } from '../ports.ts'
import { captureRole } from '../sql/capture.ts'
import { literal, quoted } from '../sql/name.ts'

export interface Rights {
  /** SQL names of those of the tables that are this role's own. */
  readonly owned: ReadonlySet<string>
  /** Functions may be given to the role that captures. */
  readonly mayGive: boolean
}

export async function readRights(transaction: Transaction, names: readonly string[]): Promise<Rights> {
  const rows = await transaction.query(
    `select coalesce((select json_agg(c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'
         and c.relname in (select json_array_elements_text($1::text::json)) and pg_has_role(c.relowner, 'MEMBER')), '[]')::text as owned,
       coalesce((select pg_has_role(oid, 'MEMBER') from pg_roles where rolname = ${literal(captureRole)}), false) as may_give`,
    [JSON.stringify(names)],
  )
  return { owned: new Set(JSON.parse(String(rows[0]?.owned))), mayGive: rows[0]?.may_give === true }
}

/**
 * Where this role may make roles, one that nobody can log in as, and that may do nothing but write the log: our triggers run as it, and what others may call. Where it may not, they
 * run as this role. One for all databases of a PostgreSQL: roles are the server's.
 */
export const makeCaptureRole = `do $role$
begin
  if not exists (select from pg_roles where rolname = '${captureRole}') and (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) then
    begin
      create role ${captureRole} nologin;
      grant ${captureRole} to current_user;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  if exists (select from pg_roles where rolname = '${captureRole}' and pg_has_role(oid, 'MEMBER'))
      and (select pg_has_role(nspowner, 'MEMBER') from pg_namespace where nspname = 'headwater') then
    grant usage, create on schema headwater to ${captureRole};
    grant insert on headwater.log to ${captureRole};
    execute format('grant usage on sequence %s to ${captureRole}', pg_get_serial_sequence('headwater.log', 'seq'));
    alter function headwater.wake_trigger() owner to ${captureRole};
    alter function headwater.jobs_trigger() owner to ${captureRole};
    alter function headwater.authenticate_again(text) owner to ${captureRole};
    grant execute on function headwater.authenticate_again(text) to current_user;
  end if;
end $role$`

/** It stays while another database needs it. */
export const dropCaptureRole = `do $role$
begin
  drop role if exists ${captureRole};
exception when dependent_objects_still_exist or insufficient_privilege or object_in_use then null;
end $role$`

/** What PostgreSQL refused this role, with the line that gives it; any other error as it is. */
export async function rightsFailure(database: Database, error: unknown): Promise<unknown> {
  if (!(error instanceof HeadwaterError) || error.details.sqlstate !== '42501') return error
  const rows = await database.query('select current_user::text as role, current_database()::text as database')
  const [role, name] = [quoted(String(rows[0]?.role)), quoted(String(rows[0]?.database))]
  const message = String(error.details.message)
  return new HeadwaterError(
    'rights',
    `The role ${role} may not do this: ${message}.`,
    `Let an administrator run: ${linesFor(message, role, name)}`,
    error.details,
  )
}

function linesFor(message: string, role: string, database: string): string {
  const [, kind = '', subject = ''] = /(?:for|owner of) (database|schema|table|function|sequence|relation) (\S+)/.exec(message) ?? []
  if (kind === 'database') return `grant create on database ${database} to ${role};`
  if (subject === 'headwater' || kind === 'sequence')
    return `grant usage on schema headwater to ${role}; grant select, insert, update, delete on all tables in schema headwater to ${role}; grant usage on all sequences in schema headwater to ${role};`
  if (kind === 'schema') return `grant usage, create on schema ${subject} to ${role};`
  if (message.includes('owner of') && kind !== 'function') return `alter table ${subject} owner to ${role};`
  if (kind === 'function') return `grant ${captureRole} to ${role};`
  if (kind !== '') return `grant select, insert, update, delete, references, trigger on table ${subject} to ${role};`
  return `grant the missing right to ${role}, or install as the owner of the database.`
}
