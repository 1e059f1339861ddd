// Pruning the log, a piece at a time. Invariant: the floor rises before anything below it goes, or with it: whoever finds the floor at or below
// what they need finds all of that in the same snapshot. So it can stop at any point, and whoever goes on finds the rest.
import { HeadwaterError } from '@headwater/protocol'
import { type LogLimits, limits } from '../limits.ts'
import type { Database, SqlRow, Transaction } from '../ports.ts'

export type PruneLimits = Pick<LogLimits, 'minutes' | 'rows' | 'bytes'>

/** What stays in any case. */
export interface LogKept {
  readonly minutes: number
  readonly rows: number
}

export interface Pruned {
  readonly rows: number
  /** There may be more to prune at once. */
  readonly hasMore: boolean
  /** What keeps rows that are beyond the limits; null: nothing. */
  readonly heldBy: string | null
}

/** Throws `invalid` for limits that would leave too little for devices that were away for a moment. */
export function checkLogLimits(given: Partial<LogLimits> = {}): LogLimits {
  const wanted = { ...limits.log, ...given }
  const least = { ...limits.logKept, bytes: 1_048_576, recentBytes: 0 }
  for (const name of ['minutes', 'rows', 'bytes', 'recentBytes'] as const) {
    if (!Number.isSafeInteger(wanted[name]) || wanted[name] < least[name])
      throw new HeadwaterError('invalid', `log.${name} is ${wanted[name]}.`, `Give a whole number from ${least[name]} up.`)
  }
  return wanted
}

/**
 * Takes one piece of what is beyond the limits away, if no other server is at it. Never what the last rows, an open transaction, or a hold
 * of headwater.log_holds need.
 */
export async function prunePiece(database: Database, bounds: PruneLimits, kept: LogKept = limits.logKept): Promise<Pruned> {
  return database.transaction('write', async (transaction) => {
    const locked = await transaction.query(`select pg_try_advisory_xact_lock(${lockKey}) as locked`)
    if (locked[0]?.locked !== true) return nothing
    const piece = limits.prunePieceRows[database.kind]
    const found = foundIn(
      await transaction.query(lookSql, [piece, kept.rows - 1, String(bounds.minutes), String(kept.minutes), bounds.rows, String(bounds.bytes)]),
    )
    const { floor, heldBy } = floorAfter(found)
    const rows = found.first !== null && found.first < floor ? await deleteFrom(transaction, found.floor - 1n, floor, piece) : 0
    if (rows > 0 || heldBy !== found.heldBy) await remember(transaction, rows, heldBy)
    return { rows, hasMore: rows === piece, heldBy }
  })
}

const lockKey = '4702111234474983747'
const nothing: Pruned = { rows: 0, hasMore: false, heldBy: null }

/** What the oldest piece of the log looks like. Transactions are in their order. */
export interface Found {
  readonly floor: bigint
  readonly first: bigint | null
  readonly last: bigint | null
  /** The first of them with a row that is young enough to stay. */
  readonly young: bigint | null
  /** All of the first one is old enough to go. */
  readonly isFirstOld: boolean
  /** What must stay: from which transaction on, and for whom; null: for the last rows, or for nobody. */
  readonly bounds: readonly { readonly name: string | null; readonly xid: bigint }[]
  /** As the last piece left it. */
  readonly heldBy: string | null
}

/** From where on the log stays, after this piece. */
export function floorAfter({ floor, first, last, young, isFirstOld, bounds }: Found): { readonly floor: bigint; readonly heldBy: string | null } {
  if (first === null || last === null) return { floor, heldBy: null }
  // Of the last transaction of the piece some rows may lie behind it, unless it is the only one.
  const wanted = young ?? (last > first ? last : isFirstOld ? last + 1n : first)
  const tightest = bounds.reduce<(typeof bounds)[number] | null>((least, one) => (least === null || one.xid < least.xid ? one : least), null)
  const reached = tightest !== null && tightest.xid < wanted ? tightest.xid : wanted
  return { floor: reached > floor ? reached : floor, heldBy: reached < wanted ? (tightest?.name ?? null) : null }
}

/**
 * Below the floor there are rows of one transaction at most, the last that went, when it has more than a piece. A search from there
 * passes over what the rows that are gone have left in the index until it is vacuumed.
 */
const lowest = `(select (floor::text::numeric - 1)::text::xid8 from headwater.identity)`

/**
 * $1 rows of a piece, $2 last rows that stay less one, $3 and $4 minutes, $5 rows, $6 bytes. Nothing here reads more of the log than a piece and
 * its last rows. How many rows there are is said by their numbers, of which rolled back transactions have taken some.
 */
const lookSql = `
  with oldest as materialized (
    select l.xid, l.seq, l.at from headwater.log l where l.xid >= ${lowest} order by l.xid, l.seq limit $1::int),
  first as (select xid, seq from oldest order by xid, seq limit 1),
  size as (
    select l.seq - (select seq from first) + 1 as rows,
      (select avg(pg_column_size(newest.*)) from (select n.* from headwater.log n order by n.xid desc, n.seq desc limit 64) newest) as row_bytes
    from headwater.log l order by l.xid desc, l.seq desc limit 1),
  cutoff as (
    select now() - (case when rows > $5::bigint or rows * row_bytes > $6::text::numeric then least($3::text::numeric, $4::text::numeric) else $3::text::numeric end)
      * interval '1 minute' as at from size),
  bounds as (
    select 'an open transaction' as name, pg_snapshot_xmin(pg_current_snapshot()) as xid
    union all select h.name, h.xid from headwater.log_holds h where h.until is null or h.until > now()
    union all select null, coalesce((select l.xid from headwater.log l order by l.xid desc, l.seq desc offset $2::int limit 1), '0'))
  select i.floor::text as floor, (select xid from first)::text as first, (select xid from oldest order by xid desc limit 1)::text as last,
    (select o.xid from oldest o, cutoff c where o.at >= c.at order by o.xid limit 1)::text as young,
    coalesce((select l.at < c.at from headwater.log l, cutoff c where l.xid = (select xid from first) order by l.seq desc limit 1), false) as is_first_old,
    (select json_agg(json_build_object('name', b.name, 'xid', b.xid::text)) from bounds b)::text as bounds,
    (select m.value from headwater.marks m where m.name = 'pruned') as held_by
  from headwater.identity i`

function foundIn(rows: readonly SqlRow[]): Found {
  const row = rows[0] ?? {}
  const xidOf = (value: unknown) => (value === null ? null : BigInt(String(value)))
  // The statement made it.
  const bounds = JSON.parse(String(row.bounds)) as readonly { name: string | null; xid: string }[]
  return {
    floor: BigInt(String(row.floor)),
    first: xidOf(row.first),
    last: xidOf(row.last),
    young: xidOf(row.young),
    isFirstOld: row.is_first_old === true,
    bounds: bounds.map(({ name, xid }) => ({ name, xid: BigInt(xid) })),
    heldBy: row.held_by === null ? null : String(row.held_by),
  }
}

/** A transaction with more rows than a piece goes in several, below a floor that has risen already. */
async function deleteFrom(transaction: Transaction, from: bigint, floor: bigint, piece: number): Promise<number> {
  await transaction.query('update headwater.identity set floor = $1::text::xid8 where floor < $1::text::xid8', [String(floor)])
  const rows = await transaction.query(
    `with gone as (delete from headwater.log where ctid = any (array(
       select l.ctid from headwater.log l where l.xid >= $1::text::xid8 and l.xid < $2::text::xid8 order by l.xid, l.seq limit $3::int)) returning 1)
     select count(*)::int as count from gone`,
    [String(from), String(floor), piece],
  )
  return Number(rows[0]?.count)
}

/** For the status: when rows were last taken away, and what keeps the others. */
const remember = (transaction: Transaction, rows: number, heldBy: string | null) =>
  transaction.query(
    `insert into headwater.marks (name, value) values ('pruned', $1)
     on conflict (name) do update set value = excluded.value, at = case when $2::boolean then now() else headwater.marks.at end`,
    [heldBy, rows > 0],
  )
