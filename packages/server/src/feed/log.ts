import { HeadwaterError } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Parameter, SqlRow, Statement, Transaction } from '../ports.ts'
import { isVisible, type Snapshot, snapshotOf } from './snapshot.ts'

/** One row of headwater.log. */
export interface LogRow {
  readonly seq: bigint
  readonly xid: bigint
  /** SQL name; null for a mutation's outcome, for new jobs, and for people whose sessions may have ended. */
  readonly table: string | null
  readonly op: 'i' | 'u' | 'd' | 't' | 'm' | 'g' | 'j' | 'b' | 's'
  /** An encoded JSON array, as text. For `m`: device and number; for `s` the person. */
  readonly key: string | null
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** For `u`, what changed; for `d`, the whole row. JSON objects by SQL names, as text. */
  readonly old: string | null
  readonly new: string | null
  /** The row itself is not in `old` and `new`, but in its table. */
  readonly byKey: boolean
  readonly depth: number
  readonly actor: string | null
  readonly at: string
  readonly sessionUser: string | null
  /** Of seq, xid and time: two histories that agree in it agree in the row. */
  readonly hash: bigint
}

/** One that says nothing yet. */
export const blankLogRow: Omit<LogRow, 'op' | 'table'> = {
  seq: 0n,
  xid: 0n,
  key: null,
  before: [],
  after: [],
  old: null,
  new: null,
  byKey: false,
  depth: 1,
  actor: null,
  at: '',
  sessionUser: null,
  hash: 0n,
}

export const rowHash = 'hash_record_extended(row(l.seq, l.xid, l.at), 0)'

/** About what a row weighs in memory and on the wire. */
export const rowBytes = 'coalesce(octet_length(l.key), 0) + coalesce(octet_length(l.new::text), 0) + coalesce(octet_length(l.old::text), 0)'

export const logColumns = `l.seq::text as seq, l.xid::text as xid, l.table_name, l.op::text as op, l.key, array_to_json(l.scopes_before)::text as scopes_before,
  array_to_json(l.scopes_after)::text as scopes_after, l.old::text as old, l.new::text as new, l.by_key, l.depth::text as depth, l.actor, l.session_user_name,
  (extract(epoch from l.at) * 1000)::bigint::text as at, ${rowHash}::text as hash`

/** What is new since a snapshot: the condition of POSTGRES.md, "Order". */
export const newSince = (parameter: string, row = 'l') =>
  `(${row}.xid >= pg_snapshot_xmax(${parameter}::pg_snapshot) or ${row}.xid = any (array(select pg_snapshot_xip(${parameter}::pg_snapshot))))`

/**
 * The same, as rows, and at most so many. With the condition alone the planner reads the whole log once most of it has come by one transaction, in
 * every step (0.5 s at a million rows), and with an order and a bound where the log was nearly empty when it was last analyzed. What runs still has no rows to be seen, and may have
 * written a million that every step would look at.
 */
export function newRowsSql(since: Snapshot, rowsMax: number): string {
  const later = `(select * from headwater.log_from(pg_snapshot_xmax($1::text::pg_snapshot), ${rowsMax}))`
  if (since.running.size === 0) return later
  const ended = `(select l.* from (select xid from pg_snapshot_xip($1::text::pg_snapshot) as running(xid) where pg_visible_in_snapshot(xid, pg_current_snapshot())) as ended
    cross join lateral (select * from headwater.log l where l.xid = ended.xid order by l.xid, l.seq limit ${rowsMax}) l limit ${rowsMax})`
  return `(select * from (${later} union all ${ended}) l limit ${rowsMax})`
}

/**
 * One step of the tail: everything committed since `$1`, and the snapshot in which that is the whole truth. What ended before a
 * snapshot was taken has its record in the WAL before the place where the next one goes: if the WAL is flushed up to there, read after
 * the snapshot, nothing in the step can be taken back by a crash.
 */
const stepSql = (since: Snapshot, rowsMax: number) => `select s.s::text as snapshot, s.is_durable, s.floor, ${logColumns}
  from (select pg_current_snapshot() s, pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() as is_durable,
    (select floor::text from headwater.identity) as floor) s
  left join lateral ${newRowsSql(since, rowsMax)} l on true order by l.seq`

export interface Step {
  readonly snapshot: Snapshot
  readonly rows: readonly LogRow[]
  /** True: flushed already, as after every commit that waited for it while nobody else wrote. False: perhaps. */
  readonly isDurable: boolean
  /** False: there are more rows than were asked for, and none of them is here. */
  readonly isWhole: boolean
}

/**
 * Reads one step, of at most `rowsMax` rows. One statement is one snapshot: on its own, or inside a REPEATABLE READ transaction together with others. Throws `unavailable`
 * if some of it was pruned: a reader that stood still for so long does not know what it has missed.
 */
export async function readStep(
  session: { query(text: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]> },
  since: Snapshot,
  rowsMax: number,
): Promise<Step> {
  const found = await session.query(stepSql(since, rowsMax + 1), [since.text])
  unlessPruned(found[0], since)
  const rows = found.filter((row) => row.seq !== null)
  const isWhole = rows.length <= rowsMax
  return {
    snapshot: snapshotOf(String(found[0]?.snapshot)),
    rows: isWhole ? rows.map(logRowOf) : [],
    isDurable: found[0]?.is_durable === true,
    isWhole,
  }
}

/** Throws `unavailable` if what was read with this floor of the log is not all that came since. */
export function unlessPruned(read: SqlRow | undefined, since: Snapshot): void {
  if (BigInt(String(read?.floor)) <= since.xmin) return
  throw new HeadwaterError('unavailable', 'The log was pruned past its reader.', 'It begins anew by itself, and devices greet again.')
}

/** Everything since a snapshot, in the transaction's own; null: it is more than is to be held in memory. */
export async function readWhole(transaction: Transaction, since: Snapshot, bytesMax: number): Promise<readonly LogRow[] | null> {
  const first = await readStep(transaction, since, limits.stepRowsFirst)
  if (first.isWhole) return bytesOf(first.rows) <= bytesMax ? first.rows : null
  const found = await transaction.query(
    `select count(*)::text as count, coalesce(sum(${rowBytes}), 0)::text as bytes from ${newRowsSql(since, limits.stepRowsMax + 1)} l`,
    [since.text],
  )
  if (Number(found[0]?.count) > limits.stepRowsMax || Number(found[0]?.bytes) > bytesMax) return null
  return (await readStep(transaction, since, limits.stepRowsMax)).rows
}

export const bytesOf = (rows: readonly LogRow[]) => rows.reduce((sum, row) => sum + (row.key?.length ?? 0) + (row.new?.length ?? 0) + (row.old?.length ?? 0), 0)

/** The fingerprint of the log between two snapshots: rows visible in `upTo` and not in `since`. */
export function fingerprintStatement(since: Snapshot, upTo: Snapshot): Statement {
  const text = `select count(*)::text as count, coalesce(sum(${rowHash}), 0)::text as sum from headwater.log l
    where ${newSince('$1::text')} and pg_visible_in_snapshot(l.xid, $2::text::pg_snapshot)`
  return { text, parameters: [since.text, upTo.text] }
}

/** The transaction number `rows` rows back from the end of the log, or that from which on it is whole. */
export async function xidBack(transaction: Pick<Transaction, 'query'>, rows: number): Promise<bigint> {
  const found = await transaction.query(
    `select greatest((select l.xid from headwater.log l order by l.xid desc, l.seq desc offset ${rows} limit 1), i.floor)::text as xid from headwater.identity i`,
  )
  return BigInt(String(found[0]?.xid))
}

export const newRows = (rows: readonly LogRow[], since: Snapshot) => rows.filter((row) => !isVisible(row.xid, since))

export function logRowOf(row: SqlRow): LogRow {
  return {
    seq: BigInt(String(row.seq)),
    xid: BigInt(String(row.xid)),
    table: textOf(row.table_name),
    // The column has a value for every row that we write, from this closed list.
    op: String(row.op) as LogRow['op'],
    key: textOf(row.key),
    before: scopesOf(row.scopes_before),
    after: scopesOf(row.scopes_after),
    old: textOf(row.old),
    new: textOf(row.new),
    byKey: row.by_key === true,
    depth: Number(row.depth ?? 0),
    actor: textOf(row.actor),
    sessionUser: textOf(row.session_user_name),
    at: new Date(Number(row.at)).toISOString(),
    hash: BigInt(String(row.hash)),
  }
}

const textOf = (value: unknown) => (value === null || value === undefined ? null : String(value))
const scopesOf = (value: unknown): readonly string[] => (value === null || value === undefined ? [] : JSON.parse(String(value)))
