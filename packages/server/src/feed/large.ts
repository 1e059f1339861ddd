// The log where it is more than memory should hold. Of such a piece only what is asked for is read; and where even that is too much, it is
// said, so that the rows themselves are loaded again.
import { type DeviceId, deviceId, type UserId, userId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { SqlRow, Transaction } from '../ports.ts'
import { tableName } from '../sql/name.ts'
import { rowToArray, scopesOf } from '../sql/row.ts'
import { bytesOf, type LogRow, logColumns, logRowOf, newRowsSql, newSince, rowBytes, rowHash, unlessPruned } from './log.ts'
import { type Encoder, type Encoders, streamsOf } from './net.ts'
import { isAt } from './settle.ts'
import type { Snapshot } from './snapshot.ts'
import { type StreamKey, streamScope } from './stream.ts'

/** What of the log since a snapshot concerns some streams. */
export interface Tail {
  /** In the order of the log: of every row that is or was in one of the streams, but for those in `heavy` alone, all that happened to it. */
  readonly rows: readonly LogRow[]
  /** Streams of which more has changed than is worth telling. */
  readonly heavy: ReadonlySet<StreamKey>
}

/**
 * Up to the transaction's snapshot, only what concerns the streams: picking that out takes PostgreSQL a tenth of what it takes to read the rest here. Of a
 * little that is one statement, more is weighed first. Where `mayLoad`, whoever is far behind is told of nothing, and all streams are heavy.
 */
export async function readTail(transaction: Transaction, encoders: Encoders, since: Snapshot, streams: ReadonlySet<StreamKey>, mayLoad = false): Promise<Tail> {
  const near = await readNear(transaction, since, streams)
  if (near !== null && bytesOf(near) <= limits.toldBytesMax && !near.some(({ byKey }) => byKey)) return { rows: near, heavy: new Set() }
  if (mayLoad && (await isFar(transaction, since))) return { rows: [], heavy: new Set(streams) }
  const { light, heavy } = divide(await weigh(transaction, encoders, since, streams))
  return { rows: await rowsOf(transaction, since, light, 'tb'), heavy: new Set(heavy) }
}

/** What `rowsOf` finds, in one statement, if the log has little since then; null: it has more. Throws `unavailable` as a step does. */
async function readNear(transaction: Transaction, since: Snapshot, streams: ReadonlySet<StreamKey>): Promise<readonly LogRow[] | null> {
  const found = await transaction.query(
    `with near as materialized (select * from ${newRowsSql(since, limits.stepRowsFirst + 1)} n)
      select c.floor, c.count, ${logColumns} from (select (select floor::text from headwater.identity) as floor, (select count(*)::int from near) as count) c
      left join near l on c.count <= ${limits.stepRowsFirst} and (l.op in ('t', 'b') or ${isOfAsked('near')}) order by l.seq`,
    [since.text, scopesText(streams)],
  )
  unlessPruned(found[0], since)
  if (Number(found[0]?.count) > limits.stepRowsFirst) return null
  return found.filter(({ seq }) => seq !== null).map(logRowOf)
}

/** Whether a reader is so far behind that what it holds is loaded again sooner than what it missed is found. By the numbers of rows: nothing is counted. */
async function isFar(transaction: Transaction, since: Snapshot): Promise<boolean> {
  const seq = (order: string, where = 'true') => `(select l.seq from headwater.log l where ${where} order by l.xid ${order}, l.seq ${order} limit 1)`
  const rows = await transaction.query(
    `select n.last - n.first > greatest($2::bigint, (n.last - n.oldest) / 10) as far from (select ${seq('desc')} as last, ${seq('asc')} as oldest,
       ${seq('asc', 'l.xid >= pg_snapshot_xmax($1::text::pg_snapshot)')} as first) n`,
    [since.text, limits.behindRowsMin],
  )
  return rows[0]?.far === true
}

/** Of a step that memory should not hold, what can be said at once. */
export interface Summary extends Tail {
  readonly count: number
  /** Of the rows' hashes. */
  readonly sum: bigint
  /** SQL names of tables of which it has changes, and of those of them that were emptied or have a barrier. */
  readonly tables: ReadonlySet<string>
  readonly emptied: ReadonlySet<string>
  /** Devices of which it decided mutations, if these are too many to be among the rows. */
  readonly devices: ReadonlySet<DeviceId>
  /** See `Large`. */
  readonly people: ReadonlySet<UserId> | null
}

export async function readSummary(transaction: Transaction, encoders: Encoders, since: Snapshot, streams: Iterable<StreamKey>): Promise<Summary> {
  const groups = await transaction.query(
    `select l.table_name, l.op::text as op, count(*)::text as count, sum(${rowHash})::text as sum from headwater.log l where ${newSince('$1::text')} group by 1, 2`,
    [since.text],
  )
  const tablesBy = (ops: string) =>
    new Set(groups.filter(({ op, table_name }) => table_name !== null && ops.includes(String(op))).map(({ table_name }) => String(table_name)))
  const countOf = (ops: string) => groups.filter(({ op }) => ops.includes(String(op))).reduce((total, { count }) => total + Number(count), 0)
  const { light, heavy } = divide(await weigh(transaction, encoders, since, streams))
  const told = countOf('m') > limits.toldRowsMax ? '' : 'm'
  const devices = told
    ? []
    : await transaction.query(`select distinct l.key::json ->> 0 as device from headwater.log l where l.op = 'm' and ${newSince('$1::text')}`, [since.text])
  const people =
    countOf('s') > 0
      ? await transaction.query(
          `select distinct l.key::json ->> 0 as person from headwater.log l where l.op = 's' and ${newSince('$1::text')} limit ${limits.toldPeopleMax + 1}`,
          [since.text],
        )
      : []
  return {
    count: countOf('iudtgmjbs'),
    sum: groups.reduce((total, { sum }) => total + BigInt(String(sum)), 0n),
    tables: tablesBy('iudtg'),
    emptied: tablesBy('tb'),
    rows: light.length + countOf(told) === 0 ? [] : await rowsOf(transaction, since, light, told),
    heavy: new Set(heavy),
    devices: new Set(devices.map(({ device }) => deviceId(String(device)))),
    people: people.length > limits.toldPeopleMax ? null : new Set(people.map(({ person }) => userId(String(person)))),
  }
}

interface Weight {
  rows: number
  bytes: number
}

/** How much happened in streams; those in which nothing did are not among them. */
async function weigh(transaction: Transaction, encoders: Encoders, since: Snapshot, streams: Iterable<StreamKey>): Promise<ReadonlyMap<StreamKey, Weight>> {
  const asked = new Set(streams)
  const weights = new Map<StreamKey, Weight>()
  const add = (encoder: Encoder | undefined, { scope, rows, bytes }: SqlRow) => {
    for (const stream of encoder === undefined ? [] : streamsOf(encoder, [String(scope)])) {
      if (!asked.has(stream)) continue
      const weight = weights.get(stream) ?? { rows: 0, bytes: 0 }
      weights.set(stream, { rows: weight.rows + Number(rows), bytes: weight.bytes + Number(bytes) })
    }
  }
  const found = await transaction.query(weighSql, [since.text, scopesText(asked)])
  for (const one of found) add(encoders.get(String(one.table_name)), one)
  for (const name of new Set(found.filter(({ by_key }) => by_key === true).map(({ table_name }) => String(table_name)))) {
    const encoder = encoders.get(name)
    if (encoder === undefined) continue
    for (const one of await transaction.query(weighTableSql(encoder), [since.text, scopesText(asked), name])) add(encoder, one)
  }
  return weights
}

/** The lightest first, until it is too much in all. */
function divide(weights: ReadonlyMap<StreamKey, Weight>): { readonly light: readonly StreamKey[]; readonly heavy: readonly StreamKey[] } {
  const inOrder = [...weights].sort(([, a], [, b]) => a.bytes - b.bytes)
  let [rows, bytes] = [0, 0]
  const isTold = inOrder.map(([, weight]) => {
    rows += weight.rows
    bytes += weight.bytes
    return rows <= limits.toldRowsMax && bytes <= limits.toldBytesMax
  })
  const names = inOrder.map(([stream]) => stream)
  return { light: names.filter((_, i) => isTold[i]), heavy: names.filter((_, i) => !isTold[i]) }
}

const scopesText = (streams: Iterable<StreamKey>) => JSON.stringify([...new Set([...streams].map(streamScope))])

const isAsked = (scope: string) => `${scope} in (select asked.scope from json_array_elements_text($2::text::json) as asked(scope))`

/** Of a row that is or was in one of the scopes, by what these rows of the log, or those of them, say of it. */
const isOfAsked = (log: string, those = 'true') => `(l.table_name, l.key) in (
        select moved.table_name, moved.key from ${log} moved cross join lateral unnest(moved.scopes_before || moved.scopes_after) as named(scope)
          where ${those} and ${isAsked('named.scope')})`

const weighSql = `select l.table_name, named.scope, count(*)::text as rows, sum(${rowBytes})::text as bytes, bool_or(l.by_key) as by_key
  from headwater.log l cross join lateral unnest(l.scopes_before || l.scopes_after) as named(scope)
  where ${newSince('$1::text')} and ${isAsked('named.scope')} group by l.table_name, named.scope`

/** What the rows of a table weigh that are not in the log. What no device could take is not told, and weighs nothing. */
const weighTableSql = ({ definition, table }: Encoder) => `select named.scope, '0' as rows, sum(octet_length(r.row))::text as bytes
  from (select ${scopesOf(definition, 't')} as scopes, ${rowToArray(definition, 't')} as row
    from (select distinct l.key from headwater.log l where ${newSince('$1::text')} and l.table_name = $3 and l.by_key) k join ${tableName(table)} t on ${isAt(definition, 'k.key::json')} offset 0) r
  cross join lateral unnest(r.scopes) as named(scope) where ${isAsked('named.scope')} and octet_length(r.row) <= ${limits.rowBytesMax} group by named.scope`

/**
 * All that happened to the rows of these streams, before and after they were in them as well; and the rows of the log that are of these kinds, which are of no row. One beside the
 * other: where either may do, the planner asks about every row of the log by itself, half a minute for a million.
 */
async function rowsOf(transaction: Transaction, since: Snapshot, streams: readonly StreamKey[], ops: string): Promise<readonly LogRow[]> {
  const rows = await transaction.query(
    `select ${logColumns} from (
      select l.* from headwater.log l where ${newSince('$1::text')} and ${isOfAsked('headwater.log', newSince('$1::text', 'moved'))}
      union all select l.* from headwater.log l where ${newSince('$1::text')} and (l.table_name is null or l.key is null) and position(l.op::text in $3) > 0
    ) l order by l.seq`,
    [since.text, scopesText(streams), ops],
  )
  return rows.map(logRowOf)
}
