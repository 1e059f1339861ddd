// A run: everything that a plan says, on one time and one database, and then everything that must hold.
import { createHash } from 'node:crypto'
import { createServer, type Database } from '@headwater/server'
import { recordPast } from '../harness/generated/past.ts'
import type { Random } from '../harness/generated/random.ts'
import { lowerLimits } from '../harness/limits.ts'
import { randomOf } from './chance.ts'
import { type Checker, type Finding, judge } from './checkers.ts'
import type { DatabaseTrouble, DatabaseWorld, Postgres, SimulatedDatabase } from './database.ts'
import { createMachine, createSimulatedDevice, type SimulatedDevice } from './device.ts'
import { openNative } from './native.ts'
import { createNetwork, type Network, nobody } from './network.ts'
import type { Plan, Rewound, Step } from './plan.ts'
import { createPoints } from './points.ts'
import { openPglite } from './postgres.ts'
import { takeReality } from './reality.ts'
import { createSimulatedServer, type SimulatedServer } from './server.ts'
import { createSignedIn, type SignedIn } from './signed-in.ts'
import { carryOut } from './steps.ts'
import { createTime, type Time } from './time.ts'
import { people } from './workloads/small.ts'
import type { Workload } from './workloads/workload.ts'
import { drawWorkload } from './workloads/workloads.ts'

/** What a process keeps for all of its runs. */
export interface Ground {
  readonly postgres: Postgres
  /** An empty database. */
  readonly empty: unknown
  /** With the tables of an app that is the same in every seed. */
  readonly imageByWorkload: Map<string, unknown>
  begin(now: () => number, fill: (bytes: Uint8Array) => void): void
}

export interface Report {
  readonly plan: Plan
  readonly findings: readonly Finding[]
  /** Of everything that happened, with its time. */
  readonly trace: string
  readonly lines: readonly string[]
  /** A delivery, a landing, a statement, a timer. */
  readonly events: number
  readonly seen: ReadonlyMap<string, number>
  readonly died: ReadonlyMap<string, number>
  readonly convergedMs: number
  readonly mutations: number
  /** Transactions that wrote, and how many of them were committed after one that had begun to write later: `0` where there is one connection. */
  readonly transactions: number
  readonly outOfOrder: number
}

export const startMs = Date.UTC(2026, 0, 1)
/** Within this time after the faults have stopped every device is level: it tries again after half a minute at most. */
const convergeMsMax = 30_000
/** Who was told that nobody is served waits for all of that half minute; where it then takes a new id, for a part of another one. */
const heldMsMore = 35_000

/** `native`: on a PostgreSQL of its own, or on the one at a URL, in the process's own time and with its own chance: no run is twice the same. */
export async function openGround({ native }: { readonly native?: string | boolean } = {}): Promise<Ground> {
  if (native) {
    const postgres = await openNative(native === true ? undefined : native)
    return { postgres, empty: await postgres.take(), imageByWorkload: new Map(), begin: () => {} }
  }
  let now = () => startMs
  let fill = (bytes: Uint8Array): void => void bytes.fill(1)
  takeReality(
    () => now(),
    (bytes) => fill(bytes),
  )
  const postgres = await openPglite((bytes) => fill(bytes))
  const empty = await postgres.take()
  return {
    postgres,
    empty,
    imageByWorkload: new Map(),
    begin: (nextNow, nextFill) => {
      now = nextNow
      fill = nextFill
    },
  }
}

export interface World {
  readonly plan: Plan
  readonly workload: Workload
  readonly time: Time
  readonly network: Network
  readonly postgres: Postgres
  readonly points: ReturnType<typeof createPoints>
  readonly trouble: DatabaseTrouble
  readonly devices: readonly SimulatedDevice[]
  readonly servers: readonly SimulatedServer[]
  /** Nobody's own: the database as psql has it, without anything in between. */
  readonly psql: SimulatedDatabase
  readonly wakes: Set<() => void>
  readonly signedIn: SignedIn
  /** The moment that a restore goes back to. */
  readonly images: { readonly atMs: number; readonly image: unknown }[]
  readonly troubles: unknown[]
  readonly findings: Finding[]
  readonly beganMs: number
  /** The database has lost what it had. */
  rewound: { readonly as: Rewound; readonly atMs: number } | null
  /** By id, devices that the database has never met since it was taken back, or not by their last nonce. */
  readonly estranged: Set<string>
  /** Until somebody has said what it is. */
  restoring: Promise<void>
  /** The faults have stopped. */
  isCalm: boolean
}

export interface RunOptions {
  /** Every event as a line, for whoever reads them. */
  readonly isTold?: boolean
}

export async function runPlan(ground: Ground, plan: Plan, { isTold = false }: RunOptions = {}): Promise<Report> {
  const { postgres } = ground
  const trace = createHash('sha256')
  const lines: string[] = []
  const tell = (line: string) => {
    trace.update(line)
    if (isTold) lines.push(line)
  }
  const image = await prepared(ground, plan)
  const time = createTime(startMs, postgres.rest, () => {
    for (const device of world.devices) device.look()
  })
  ground.begin(time.now, filling(randomOf(plan.seed, 'database')))
  await postgres.putBack(image, startMs)
  const statementsBefore = postgres.statements()
  const counted = { frames: 0, landings: 0 }
  const at = () => `${Math.round((time.now() - startMs) * 1_000) / 1_000}`
  const points = createPoints((owner, point) => {
    if (point.endsWith('landing')) counted.landings++
    tell(`${at()} ${owner.name} ${point}\n`)
  })
  const world = await createWorld(plan, ground, time, points, (device, way, frame) => {
    counted.frames++
    tell(`${at()} ${device} ${way} ${frame}\n`)
  })
  const restoreLimits = plan.isShort ? lowerLimits({ stepRowsFirst: 2, stepRowsMax: 4, toldRowsMax: 3 }) : () => {}
  try {
    const convergedMs = await live(world)
    world.findings.push(...(await judge(world, convergedMs)))
    const [order] = await postgres.ask(orderSql)
    return {
      plan,
      findings: world.findings,
      trace: trace.digest('hex'),
      lines,
      events: time.ran() + counted.frames + counted.landings + postgres.statements() - statementsBefore,
      seen: points.seen,
      died: points.died,
      convergedMs,
      mutations: world.devices.reduce((sum, { made }) => sum + made.length, 0),
      transactions: Number(order?.transactions),
      outOfOrder: Number(order?.late),
    }
  } finally {
    restoreLimits()
    for (const { owners } of world.devices) for (const owner of owners()) owner.isDead = true
    for (const { host, database } of world.servers) {
      host.owner.isDead = true
      database()?.die()
    }
    world.psql.die()
  }
}

/** By the first number that each has in the log. */
const orderSql = `select count(*)::int as transactions, (count(*) filter (where first < highest))::int as late
  from (select f.first, max(f.first) over (order by c.place rows between unbounded preceding and 1 preceding) as highest
    from past.commits c join (select xid, min(seq) as first from headwater.log group by 1) f on f.xid = c.xid) t`

async function createWorld(
  plan: Plan,
  { postgres }: Ground,
  time: Time,
  points: ReturnType<typeof createPoints>,
  onFrame: (device: string, way: string, frame: string) => void,
): Promise<World> {
  const workload = drawWorkload(plan.workload, plan.seed)
  const trouble: DatabaseTrouble = { isDown: false, isReadOnly: false, slowMs: 0, lagMs: 0 }
  const wakes = new Set<() => void>()
  const troubles: unknown[] = []
  const findings: Finding[] = []
  const found = (checker: Checker, text: string) => void findings.push({ checker, text, atMs: Math.round(time.now() - startMs) })
  const shared: DatabaseWorld = { time, points, trouble, wakes }
  const common = { ...shared, postgres, workload, seed: plan.seed, network: () => network, onTrouble: (error: unknown) => void troubles.push(error) }
  const signedIn = createSignedIn(time.now, plan.steps.every(isOfDevices))
  const servers = Array.from({ length: plan.servers }, (_, i) => createSimulatedServer({ ...common, signedIn, isShort: plan.isShort }, `server ${i}`))
  const machines = plan.devices.map((_, i) => createMachine(plan.on?.some((host, guest) => host === i && guest !== i) === true))
  const devices = plan.devices.map((person, i) => {
    const machine = machines[plan.on?.[i] ?? i] ?? createMachine(false)
    return createSimulatedDevice({ ...common, found }, { name: `device ${i}`, person, tabsMax: plan.tabs?.[i] ?? 1, machine }, plan.delayMs)
  })
  const network = createNetwork({
    time,
    points,
    hosts: servers.map(({ host }) => host),
    onSend: (person, frame) => {
      const wrong = signedIn.judge(person, frame)
      if (wrong) found('a session that has ended is over', wrong)
    },
    onFrame: (owner, way, frame, mishap) => {
      onFrame(owner.name, way, frame)
      devices.find(({ name }) => name === owner.name)?.onFrame(way, frame, mishap)
    },
  })
  const psql = await postgres.open(
    { ...shared, points: createPoints(() => {}), trouble: { isDown: false, isReadOnly: false, slowMs: 0, lagMs: 0 } },
    nobody,
    randomOf(plan.seed, 'psql'),
  )
  return {
    plan,
    workload,
    time,
    network,
    postgres,
    points,
    trouble,
    devices,
    servers,
    psql,
    wakes,
    signedIn,
    images: [],
    troubles,
    findings,
    beganMs: time.now(),
    rewound: null,
    estranged: new Set(),
    restoring: Promise.resolve(),
    isCalm: false,
  }
}

/** The database as it is before the run: with the tables, as a first server makes them, and what is in them. It is made in a time of its own, the same in every run. */
async function prepared(ground: Ground, plan: Plan): Promise<unknown> {
  const { postgres, imageByWorkload, empty } = ground
  const known = imageByWorkload.get(plan.workload)
  if (known) return known
  const workload = drawWorkload(plan.workload, plan.seed)
  const time = createTime(startMs - 60_000, postgres.rest, () => {})
  ground.begin(time.now, filling(randomOf(0, 'tables')))
  await postgres.putBack(empty, time.now())
  const shared = { time, points: createPoints(() => {}), trouble: { isDown: false, isReadOnly: false, slowMs: 0, lagMs: 0 }, wakes: new Set<() => void>() }
  const psql = await postgres.open(shared, nobody, randomOf(0, 'psql'))
  await time.until(make(workload, psql, time))
  await psql.close()
  const image = await postgres.take()
  if (workload.isFixed) imageByWorkload.set(plan.workload, image)
  return image
}

const filling = (random: Random) => (bytes: Uint8Array) => {
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.int(256)
}

async function make(workload: Workload, psql: Database, time: Time): Promise<void> {
  await psql.execute('create table people (id text primary key)')
  const clock = { now: time.now, timer: (afterMs: number, run: () => void) => time.timer(nobody, afterMs, run) }
  const server = await createServer({ ...workload, database: { ...psql, close: async () => {} }, authenticate: () => null, ports: { clock } })
  await recordPast(psql, workload.schema)
  for (const person of people) await psql.query('insert into people (id) values ($1)', [person])
  if (workload.rows.length > 0) await psql.batch(workload.rows)
  await server.close()
}

/** Everything that the plan says, and then peace. Answers how long it took until every device was level; more than it may, if one is not. */
async function live(world: World): Promise<number> {
  const { plan, time, trouble, servers, devices, network } = world
  const beganMs = time.now()
  for (const step of plan.steps) if (step.type === 'session' && !step.isTold) world.signedIn.end(plan.devices[step.device] ?? '', beganMs + step.atMs, true)
  for (const { start } of servers) start()
  for (const [i, device] of devices.entries()) if ((plan.on?.[i] ?? i) === i) time.timer(nobody, 100 + i * 37, device.start)
  for (const step of plan.steps) time.timer(nobody, step.atMs, () => carryOut(world, step))
  for (const step of plan.steps) if (step.type === 'restore') time.timer(nobody, step.atMs - step.backMs, () => void keepImage(world))
  await time.advance(beganMs + plan.endMs)
  await time.until(world.restoring)
  const calmMs = time.now()
  Object.assign(trouble, { isDown: false, isReadOnly: false, slowMs: 0, lagMs: 0 })
  await world.postgres.setReadOnly(false)
  for (const server of servers) await countConnections(world, server)
  world.isCalm = true
  calm(world)
  const isLevel = () =>
    network.dead() === 0 &&
    devices.every((device) => device.client() && device.clients().every(({ status }) => status.get().phase === 'live' && status.get().pending === 0))
  const msMax = world.rewound ? convergeMsMax + heldMsMore : convergeMsMax
  while (time.now() < calmMs + msMax && !isLevel()) await time.advance(time.now() + 100)
  const convergedMs = isLevel() ? time.now() - calmMs : Number.POSITIVE_INFINITY
  // What was committed last still has to arrive. A tab that slept may have heard of one that led and is gone, and be told of nothing by another that does not know of it: it asks every five seconds.
  await time.advance(time.now() + (plan.tabs?.some((count) => count > 1) ? 7_000 : 3_000))
  return convergedMs
}

/** Nothing is in the way of servers and their database. */
const isOfDevices = (step: Step) =>
  [
    'session',
    'act',
    'use',
    'offline',
    'cut',
    'silence',
    'frame',
    'slow',
    'kill-device',
    'reopen',
    'person',
    'freeze',
    'clock',
    'full',
    'grasp',
    'tab',
  ].includes(step.type) ||
  (step.type === 'foreign' && step.holdMs === 0)

/** Those that are dead without a word are there still. Asked of a server that answers soon. */
async function countConnections({ network, findings, time, beganMs }: World, server: SimulatedServer): Promise<void> {
  const asked = server
    .server()
    ?.status()
    .catch(() => null)
  const status = await time.until(Promise.race([asked, time.pause(nobody, 2_000)]))
  const names = network.namesAt(server.host.owner)
  const count = status?.connected.devices ?? 0
  const text = `${server.name} serves ${count} connections of ${names} devices`
  if (count > names) findings.push({ checker: 'one connection per device', text, atMs: time.now() - beganMs })
}

async function keepImage({ images, postgres, time }: World): Promise<void> {
  if (images.length === 0) images.push({ atMs: time.now(), image: await postgres.take() })
}

/** All faults stop, and what is down comes up. */
function calm({ time, servers, devices, network, points }: World): void {
  // Who waits for a load is patient for longer than everything has time here.
  const isLive = (name: string) => devices.some((device) => device.name === name && device.client()?.status.get().phase === 'live')
  network.heal(({ name, isDead }) => isDead || !isLive(name))
  for (const server of servers) {
    points.disarm(server.host.owner)
    server.database()?.calm()
    server.start()
  }
  for (const device of devices) {
    const { line } = device
    Object.assign(line, { bytesPerMs: null, delayMs: [1, 20] })
    line.silent.clear()
    line.frames.length = 0
    line.grasps.length = 0
    device.setFull('nothing')
    for (const owner of device.owners()) {
      points.disarm(owner)
      time.thaw(owner)
    }
    device.start()
    if (!line.isOnline) device.setOnline(true)
  }
}
