// A database is what it was some time ago. Invariant (F3): where servers live that know better, each notices it, and nothing is written for a device before somebody has said
// what the database is.
import { adoptDatabase } from '@headwater/server'
import { isVisible, snapshotOf } from '../../packages/server/src/feed/snapshot.ts'
import { nobody } from './network.ts'
import type { Step } from './plan.ts'
import type { World } from './world.ts'

/** By then every server that lives has tried to reach its database again. */
const noticedMsMax = 12_000

export async function restore(world: World, { as, forMs, goesOn }: Extract<Step, { type: 'restore' }>): Promise<void> {
  const { time, postgres, trouble, images, psql, servers, network } = world
  const [kept] = images
  if (!kept) return
  world.rewound = { as, atMs: time.now() }
  trouble.isDown = true
  for (const server of servers) {
    if (as === 'unnoticed') server.kill()
    else server.database()?.lose()
  }
  const before = await look(world)
  await postgres.putBack(kept.image, time.now())
  const after = await look(world)
  for (const [device, nonce] of before.nonces) if (after.nonces.get(device) !== nonce) world.estranged.add(device)
  if (goesOn) await postgres.ask(onTo(before.next))
  await time.pause(nobody, forMs)
  trouble.isDown = false
  if (as === 'unnoticed') {
    for (const server of servers) server.start()
    return
  }
  const lost = [...before.log].flatMap(([row, xid]) => (after.log.has(row) ? [] : [xid]))
  // Who has told of what is lost knows better. Who has read it and told nobody may know. What was written while no server could reach the database, and is lost, nobody knows of.
  const knowing = servers.filter(({ host }) => isToldOf(lost, network.toldBy(host.owner)))
  const isHeld = () => (knowing.length > 0 ? knowing.every(({ server }) => server()?.held()) : servers.some(({ server }) => server()?.held()))
  for (const giveUpAt = time.now() + noticedMsMax; lost.length > 0 && !isHeld() && time.now() < giveUpAt; ) await time.pause(nobody, 200)
  const found = isHeld() || knowing.length === 0 ? null : 'the database lacks what a server has told of, and that server goes on serving it'
  // One that knows no better may serve it, and write to it.
  const written = found === null && knowing.length === servers.length && after.mutations !== (await look(world)).mutations
  const text = written ? 'the database lacks what it had, and mutations were written to it' : found
  if (text) world.findings.push({ checker: 'a lost past is noticed', text, atMs: time.now() - world.beganMs })
  // Nothing was lost that anybody was told of: everything has to go on as if nothing had happened.
  if (knowing.length > 0 || isHeld()) await adoptDatabase(psql, as)
  else world.rewound = null
}

function isToldOf(xids: readonly bigint[], cursor: string | null): boolean {
  if (cursor === null) return false
  const told = snapshotOf(cursor.split(' ')[2] ?? '')
  return xids.some((xid) => isVisible(xid, told))
}

interface Looked {
  /** By row of the log, which transaction wrote it. */
  readonly log: ReadonlyMap<string, bigint>
  readonly mutations: string
  /** By device, the nonce that it has to greet with. */
  readonly nonces: ReadonlyMap<string, string>
  /** The number of the next transaction. */
  readonly next: string
}

async function look({ postgres }: World): Promise<Looked> {
  const [log = [], devices = [], [row] = []] = await postgres.look([
    `select concat(l.seq, ' ', l.xid, ' ', l.at) as row, l.xid::text as xid from headwater.log l`,
    'select id, nonce from headwater.devices',
    'select (select count(*) from headwater.mutations)::text as mutations, pg_snapshot_xmax(pg_current_snapshot())::text as next',
  ])
  return {
    log: new Map(log.map(({ row, xid }) => [String(row), BigInt(String(xid))])),
    mutations: String(row?.mutations),
    nonces: new Map(devices.map(({ id, nonce }) => [String(id), String(nonce)])),
    next: String(row?.next),
  }
}

/** Others write to it until it has had more transactions than before: its numbers alone say nothing any more. */
const onTo = (next: string) => `do $$ begin
  while pg_snapshot_xmax(pg_current_snapshot()) <= '${next}'::xid8 loop
    perform pg_current_xact_id();
    commit;
  end loop;
end $$`
