// Which servers run on a database: each has a row that it keeps fresh.
import { hostname } from 'node:os'
import { limits } from '../limits.ts'
import type { Chance, Clock, Database } from '../ports.ts'
import { version } from '../version.ts'

export interface ServerSeen {
  readonly id: string
  /** Of Headwater. */
  readonly version: string
  readonly host: string
  readonly pid: number
  /** RFC 3339. */
  readonly startedAt: string
  readonly seenAt: string
  readonly devices: number
}

export interface Heartbeat {
  readonly id: string
  /** Takes its row away. */
  stop(): Promise<void>
}

interface HeartbeatDeps {
  readonly database: Database
  readonly clock: Clock
  readonly chance: Chance
  readonly devices: () => number
  readonly onTrouble: (error: unknown) => void
}

const beatSql = `with gone as (delete from headwater.servers where seen_at < now() - make_interval(secs => $6::int / 1000.0))
  insert into headwater.servers (id, version, host, pid, devices) values ($1, $2, $3, $4::int, $5::int)
  on conflict (id) do update set seen_at = now(), devices = excluded.devices`

export function createHeartbeat({ database, clock, chance, devices, onTrouble }: HeartbeatDeps): Heartbeat {
  const id = Buffer.from(chance.bytes(8)).toString('base64url')
  let cancel = () => {}
  let isStopped = false
  let beating: Promise<void> = Promise.resolve()

  function beat(): void {
    beating = database
      .query(beatSql, [id, version, hostname(), process.pid, devices(), limits.serverGoneMs])
      .then(() => {}, onTrouble)
      .finally(() => {
        if (!isStopped) cancel = clock.timer(limits.serverBeatMs, beat)
      })
  }

  beat()
  return {
    id,
    stop: async () => {
      isStopped = true
      cancel()
      await beating
      await database.query('delete from headwater.servers where id = $1', [id]).catch(onTrouble)
    },
  }
}

/** Servers that were there a moment ago, the oldest first. */
export async function readServers(database: Pick<Database, 'query'>): Promise<readonly ServerSeen[]> {
  const rfc3339 = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
  const rows = await database.query(
    `select id, version, host, pid, ${rfc3339('started_at')} as started, ${rfc3339('seen_at')} as seen, devices from headwater.servers
      where seen_at >= now() - make_interval(secs => $1::int / 1000.0) order by started_at, id`,
    [limits.serverGoneMs],
  )
  return rows.map(({ id, version, host, pid, started, seen, devices }) => ({
    id: String(id),
    version: String(version),
    host: String(host),
    pid: Number(pid),
    startedAt: String(started),
    seenAt: String(seen),
    devices: Number(devices),
  }))
}
