// What happens in a run, written down before it begins: drawn from a seed, it can be read, cut down and replayed.
import type { Random } from '../harness/generated/random.ts'
import { randomOf } from './chance.ts'
import type { Mishap } from './database.ts'
import type { FrameMishap, Way } from './network.ts'
import { people } from './workloads/small.ts'
import type { Act, Foreign, Workload } from './workloads/workload.ts'
import { drawWorkload, workloadNames } from './workloads/workloads.ts'

export interface Plan {
  readonly seed: number
  readonly workload: string
  /** The person of each device. */
  readonly devices: readonly string[]
  /** How many tabs each has open; none said: a process that is alone. */
  readonly tabs?: readonly number[]
  /** On the machine of which device each is; none said: each on its own. Whoever is on another's is somebody else, who signs in there now and then. */
  readonly on?: readonly number[]
  readonly servers: number
  /** What a frame takes, one way. */
  readonly delayMs: readonly [least: number, most: number]
  /** So little memory that most of what happens is more than it holds. */
  readonly isShort: boolean
  readonly steps: readonly Step[]
  /** When the faults stop. */
  readonly endMs: number
}

export type Step = { readonly atMs: number } & Happening
type Happening =
  | { readonly type: 'act'; readonly device: number; readonly tab?: number; readonly act: Act }
  | { readonly type: 'foreign'; readonly statements: readonly Foreign[]; readonly holdMs: number; readonly isUndone: boolean }
  | { readonly type: 'use'; readonly device: number; readonly tab?: number; readonly kind: string; readonly key: string; readonly forMs: number }
  | { readonly type: 'offline'; readonly device: number; readonly forMs: number }
  | { readonly type: 'cut'; readonly device: number; readonly isSilent: boolean }
  | { readonly type: 'silence'; readonly device: number; readonly ways: readonly Way[]; readonly forMs: number }
  | { readonly type: 'frame'; readonly device: number; readonly way: Way; readonly mishap: FrameMishap }
  | { readonly type: 'slow'; readonly device: number; readonly bytesPerMs: number; readonly forMs: number }
  | {
      readonly type: 'kill-device'
      readonly device: number
      readonly tab?: number
      readonly point: string
      /** 0: at once. */
      readonly count: number
      readonly part: number
      readonly downMs: number
      readonly disk: DiskOf
    }
  | { readonly type: 'reopen'; readonly device: number; readonly downMs: number; readonly isWiped: boolean }
  /** Somebody else signs in in the place of the device's person, who is there again after `forMs`. */
  | { readonly type: 'person'; readonly device: number; readonly forMs: number }
  | { readonly type: 'freeze'; readonly device: number; readonly tab?: number; readonly forMs: number }
  | {
      readonly type: 'tab'
      readonly device: number
      readonly tab: number
      readonly how: 'killed' | 'left' | 'closed'
      readonly point: string
      readonly count: number
      readonly downMs: number
    }
  | { readonly type: 'clock'; readonly device: number; readonly byMs: number }
  /** `isTight`: there is room for what is appended, and none to write everything anew. */
  | { readonly type: 'full'; readonly device: number; readonly forMs: number; readonly isTight?: boolean }
  /** The next on-demand scope that it lets go of is used again in that moment, by what runs between two of its own steps. */
  | { readonly type: 'grasp'; readonly device: number; readonly forMs: number }
  | { readonly type: 'kill-server'; readonly server: number; readonly point: string; readonly count: number; readonly downMs: number }
  | { readonly type: 'stop-server'; readonly server: number; readonly downMs: number }
  | { readonly type: 'database'; readonly server: number; readonly mishap: Mishap }
  | { readonly type: 'lose'; readonly server: number; readonly isInTheMiddle: boolean }
  | { readonly type: 'session'; readonly device: number; readonly isTold: boolean; readonly forMs: number }
  | { readonly type: 'migrate' }
  | { readonly type: 'down'; readonly forMs: number }
  | { readonly type: 'read-only'; readonly forMs: number }
  | { readonly type: 'crawl'; readonly slowMs: number; readonly forMs: number }
  | { readonly type: 'lag'; readonly slowMs: number; readonly forMs: number }
  | { readonly type: 'restore'; readonly backMs: number; readonly as: Rewound; readonly forMs: number; readonly goesOn: boolean }

/** What a device that died comes back with: `copied`, the disk of another device of the same person, which lives on. */
export type DiskOf = 'kept' | 'evicted' | 'older' | 'copied'

/** What a database is declared that was taken back; or nobody ever knew, because every server was down meanwhile and remembers nothing. */
export type Rewound = 'failover' | 'restore' | 'unnoticed'

/** What may go wrong, each in a run or not at all: a run with everything would never get far enough to do anything else. */
const faults: Readonly<Record<string, readonly [perSecond: number, draw: (random: Random, plan: Drawn) => Happening & { readonly atMs?: number }]>> = {
  offline: [0.4, (random, { device }) => ({ type: 'offline', device, forMs: 100 + random.int(4_000) })],
  cut: [0.6, (random, { device }) => ({ type: 'cut', device, isSilent: random.is(0.3) })],
  silence: [0.4, (random, { device }) => ({ type: 'silence', device, ways: random.pick([['up'], ['down'], ['up', 'down']]), forMs: 50 + random.int(9_000) })],
  frame: [0.5, (random, { device }) => ({ type: 'frame', device, way: random.pick(['up', 'down']), mishap: random.pick(['cut', 'truncated', 'garbage']) })],
  // Not down: that frames come in order is what a device is promised by its socket, and all it has.
  hostile: [
    0.3,
    (random, { device }) => {
      const mishap = random.pick(['twice', 'swapped', 'claims', 'late'] as const)
      return { type: 'frame', device, way: mishap === 'late' ? 'down' : 'up', mishap }
    },
  ],
  slow: [0.2, (random, { device }) => ({ type: 'slow', device, bytesPerMs: 1 + random.int(20), forMs: 500 + random.int(5_000) })],
  killDevice: [
    0.5,
    (random, { device }) => ({
      type: 'kill-device',
      device,
      point: random.pick(['', '', 'disk', 'disk.append', 'disk.replace', 'socket.message', 'socket.send', 'socket.opened']),
      count: 1 + random.int(6),
      part: random.int(5) / 4,
      downMs: random.int(3_000),
      disk: 'kept',
    }),
  ],
  loseDisk: [
    0.15,
    (random, { device }) => ({
      type: 'kill-device',
      device,
      point: '',
      count: 1 + random.int(6),
      part: 1,
      downMs: random.int(2_000),
      disk: random.pick(['evicted', 'older', 'copied']),
    }),
  ],
  reopen: [0.3, (random, { device }) => ({ type: 'reopen', device, downMs: random.int(2_000), isWiped: random.is(0.2) })],
  freeze: [0.3, (random, { device }) => ({ type: 'freeze', device, forMs: random.int(12_000) })],
  clock: [0.3, (random, { device }) => ({ type: 'clock', device, byMs: (random.int(2_001) - 1_000) * random.pick([1, 1_000, 315_360_000]) })],
  full: [0.2, (random, { device }) => ({ type: 'full', device, forMs: 100 + random.int(4_000) })],
  killServer: [
    0.3,
    (random, { server }) => ({
      type: 'kill-server',
      server,
      point: random.pick(['', 'database', 'database.transaction', 'database.commit', 'database.batch', 'tail', 'connection.send', 'connection.message']),
      count: 1 + random.int(8),
      downMs: random.int(4_000),
    }),
  ],
  stopServer: [0.15, (random, { server }) => ({ type: 'stop-server', server, downMs: random.int(2_000) })],
  mishaps: [
    2,
    (random, { server }) => ({ type: 'database', server, mishap: random.pick(['lost-before', 'lost-after', '40001', '40P01', '57014', '53300', '25006']) }),
  ],
  lose: [0.3, (random, { server }) => ({ type: 'lose', server, isInTheMiddle: random.is(0.5) })],
  migrate: [0.05, () => ({ type: 'migrate' })],
  down: [0.1, (random) => ({ type: 'down', forMs: 100 + random.int(5_000) })],
  readOnly: [0.1, (random) => ({ type: 'read-only', forMs: 100 + random.int(4_000) })],
  crawl: [0.1, (random) => ({ type: 'crawl', slowMs: 20 + random.int(300), forMs: 1_000 + random.int(3_000) })],
  person: [0.2, (random, { device }) => ({ type: 'person', device, forMs: 200 + random.int(4_000) })],
  restore: [
    0.05,
    (random) => ({
      type: 'restore',
      backMs: 500 + random.int(5_000),
      as: random.pick(['failover', 'restore', 'unnoticed']),
      forMs: 100 + random.int(2_000),
      goesOn: random.is(0.5),
    }),
  ],
}

interface Drawn {
  readonly device: number
  readonly server: number
  readonly endMs: number
}

/** What is rare among all the others, or not a fault at all: drawn where it is asked for. */
const aimedFaults: typeof faults = {
  claims: [1, (_, { device }) => ({ type: 'frame', device, way: 'up', mishap: 'claims' })],
  late: [1, (_, { device }) => ({ type: 'frame', device, way: 'down', mishap: 'late' })],
  sessions: [0.4, (random, { device }) => ({ type: 'session', device, isTold: random.is(0.5), forMs: 500 + random.int(6_000) })],
  lag: [1, (random) => ({ type: 'lag', slowMs: 50 + random.int(400), forMs: 500 + random.int(3_000) })],
  // Between two writes that go together there is no room any more.
  brimful: [4, (random, { device }) => ({ type: 'full', device, forMs: 5 + random.int(60) })],
  tight: [0.5, (random, { device }) => ({ type: 'full', device, forMs: 500 + random.int(4_000), isTight: true })],
  grasp: [0.5, (_, { device }) => ({ type: 'grasp', device, forMs: 60_000 })],
  // What a primary that dies has not passed on: the last moments, of which a server may have told or not.
  failover: [0.05, (random) => ({ type: 'restore', backMs: 1 + random.int(80), as: 'failover', forMs: 100 + random.int(2_000), goesOn: random.is(0.5) })],
  // One store on two devices for all of the time, each of which does something that the other knows nothing of.
  twins: [0.1, (_, { device }) => ({ type: 'kill-device', device, point: '', count: 0, part: 1, downMs: 0, disk: 'copied' })],
  // So late that neither of the two does anything any more by which the other would notice.
  copied: [0.1, (_, { device, endMs }) => ({ atMs: endMs - 50, type: 'kill-device', device, point: '', count: 0, part: 1, downMs: 0, disk: 'copied' })],
}

const allFaults = { ...faults, ...aimedFaults }
export const faultNames: readonly string[] = Object.keys(allFaults)

/** Of the faults, those of networks: between devices and servers, and between servers and their database. */
const networkFaults: readonly string[] = ['offline', 'cut', 'silence', 'slow', 'frame', 'lose', 'down', 'crawl']

/** What a run is drawn from, where it is not everything: one app, and exactly these faults. */
export interface Aim {
  readonly workload?: string | undefined
  readonly faults?: readonly string[] | undefined
  /** Some of the faults of networks and no others, few devices and servers, and not for long: there can be many such runs. */
  readonly isPartition?: boolean
  /** Tabs of a device at most, in every seed; 1: none has several. */
  readonly tabs?: number | undefined
}

/** Each seed is another run: of another app, with other faults, and others of each. */
export function drawPlan(seed: number, only: Aim = {}): Plan {
  const random = randomOf(seed, 'plan')
  const picked = random.pick(workloadNames)
  const name = only.workload ?? picked
  const workload = drawWorkload(name, seed)
  const count = 2 + random.int(only.isPartition ? 2 : 4)
  // Sometimes several devices are one person's.
  const devices = random.is(0.3) ? Array.from({ length: count }, () => random.pick(people.slice(0, 2))) : [...people, ...people].slice(0, count)
  const [servers, endMs] = only.isPartition ? [1 + random.int(2), 2_000 + random.int(5_000)] : [1 + random.int(3), 4_000 + random.int(16_000)]
  const swarm = only.isPartition ? someOf(random, networkFaults) : Object.keys(faults).filter(() => random.is(0.25))
  const drawn = only.faults ?? swarm
  // A server that starts on a database that was restored meanwhile knows of it by its `stateDirectory`, which is a folder of files and not here.
  const enabled = drawn.includes('restore') || drawn.includes('failover') ? drawn.filter((name) => name !== 'killServer' && name !== 'stopServer') : drawn
  const steps: Step[] = []
  const at = () => random.int(endMs)
  const acts = Math.round((endMs / 1_000) * (1 + random.int(8)))
  // Sometimes what people do comes in bursts: several mutations are on their way at once, or pending together.
  const bursts = random.is(0.4) ? Array.from({ length: 2 + random.int(6) }, at) : null
  for (let i = 0; i < acts; i++) {
    const device = random.int(devices.length)
    const atMs = bursts ? random.pick(bursts) + random.int(60) : at()
    steps.push({ atMs, type: 'act', device, act: workload.act(random, devices[device] ?? '') })
  }
  for (let i = 0; i < (endMs / 1_000) * 2; i++) steps.push(...otherSteps(random, workload, devices, at()))
  for (const fault of enabled) {
    const [perSecond, draw] = allFaults[fault] ?? [0, () => ({ type: 'down', forMs: 0 }) as const]
    const count = Math.max(1, Math.round((endMs / 1_000) * perSecond * (0.5 + random.int(100) / 100)))
    for (let i = 0; i < count; i++) steps.push({ atMs: at(), ...draw(random, { device: random.int(devices.length), server: random.int(servers), endMs }) })
  }
  const plan: Plan = {
    seed,
    workload: name,
    devices,
    servers,
    delayMs: random.pick([
      [1, 5],
      [1, 60],
      [20, 400],
    ]),
    isShort: random.is(0.3),
    steps: steps.sort((one, other) => one.atMs - other.atMs),
    endMs,
  }
  return withGuests(withTabs(plan, only.tabs), workload)
}

/** In some seeds devices are browsers with tabs. Drawn apart: everything else is the same without them. */
function withTabs(plan: Plan, tabsMax?: number): Plan {
  const random = randomOf(plan.seed, 'tabs')
  if (!(tabsMax ? tabsMax > 1 : random.is(0.3))) return plan
  // A full disk ends the sharing: each tab is a device of its own from then on, and what these show together is nothing that could be judged. `packages/client/test/tabs.test.ts` tries it.
  const isFilled = (at: number) => plan.steps.some((step) => step.type === 'full' && step.device === at)
  const tabs = plan.devices.map((_, i) => {
    const count = 1 + random.int(tabsMax ?? 4)
    return isFilled(i) ? 1 : count
  })
  const steps = plan.steps.map((step) =>
    'device' in step && ['act', 'use', 'kill-device', 'freeze'].includes(step.type) ? { ...step, tab: random.int(12) } : step,
  )
  const often = random.pick([0.1, 0.4, 1])
  for (const [device, count] of tabs.entries()) {
    for (let i = 0; count > 1 && i < (plan.endMs / 1_000) * often; i++) {
      const [atMs, tab] = [random.int(plan.endMs), random.int(12)]
      const how = random.pick(['killed', 'left', 'closed'] as const)
      const dies = { how, point: random.pick(['', '', 'disk', 'disk.append', 'socket']), count: 1 + random.int(6), downMs: random.int(4_000) }
      steps.push(random.is(0.3) ? { atMs, type: 'freeze', device, tab, forMs: random.int(12_000) } : { atMs, type: 'tab', device, tab, ...dies })
    }
  }
  return { ...plan, tabs, steps: steps.sort((one, other) => one.atMs - other.atMs) }
}

/** Whoever signs in in another's place has a device there, of the same tabs, and does something on it. Drawn apart, as tabs are. */
function withGuests(plan: Plan, workload: Workload): Plan {
  const random = randomOf(plan.seed, 'guests')
  const hosts = [...new Set(plan.steps.flatMap((step) => (step.type === 'person' ? [step.device] : [])))]
  if (hosts.length === 0) return plan
  const persons = hosts.map((host) => random.pick(people.filter((person) => person !== plan.devices[host])))
  const acts = plan.steps.flatMap((step): readonly Step[] => {
    if (step.type !== 'person') return []
    const guest = hosts.indexOf(step.device)
    const act = () => workload.act(random, persons[guest] ?? '')
    return Array.from({ length: 1 + random.int(4) }, () => ({
      atMs: step.atMs + random.int(step.forMs),
      type: 'act',
      device: plan.devices.length + guest,
      tab: random.int(12),
      act: act(),
    }))
  })
  return {
    ...plan,
    devices: [...plan.devices, ...persons],
    on: [...plan.devices.keys(), ...hosts],
    ...(plan.tabs && { tabs: [...plan.tabs, ...hosts.map((host) => plan.tabs?.[host] ?? 1)] }),
    steps: [...plan.steps, ...acts].sort((one, other) => one.atMs - other.atMs),
  }
}

/** One of them at least. */
function someOf(random: Random, names: readonly string[]): readonly string[] {
  const first = random.pick(names)
  return names.filter((name) => name === first || random.is(0.4))
}

function otherSteps(random: Random, workload: Workload, devices: readonly string[], atMs: number): readonly Step[] {
  const statements = workload.foreign && random.is(0.5) ? workload.foreign(random) : []
  const use = workload.use && random.is(0.5) ? workload.use(random) : null
  return [
    ...(statements.length > 0
      ? [{ atMs, type: 'foreign', statements, holdMs: random.is(0.1) ? random.int(1_500) : 0, isUndone: random.is(0.1) } as const]
      : []),
    ...(use ? [{ atMs, type: 'use', device: random.int(devices.length), ...use, forMs: 200 + random.int(8_000) } as const] : []),
    ...(workload.flicker && random.is(0.3) ? flickering(random, workload.flicker, devices, atMs) : []),
  ]
}

/** Mostly while nobody has looked: a load between the two sees neither what was before nor what is after. */
function flickering(random: Random, flicker: NonNullable<Workload['flicker']>, devices: readonly string[], atMs: number): readonly Step[] {
  const device = random.int(devices.length)
  const { loss, gain, emptied, kind, key } = flicker(random, devices[device] ?? '')
  const write = { type: 'foreign', holdMs: 0, isUndone: false } as const
  return [
    { atMs: Math.max(0, atMs - 400 + random.int(500)), type: 'use', device, kind, key, forMs: 60_000 },
    ...(random.is(0.3) ? [{ atMs: Math.max(0, atMs - 300 + random.int(600)), ...write, statements: emptied }] : []),
    { atMs, ...write, statements: [loss] },
    { atMs: atMs + random.int(80), ...write, statements: [gain] },
  ]
}
