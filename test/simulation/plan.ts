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
  | { readonly type: 'act'; readonly device: number; readonly act: Act }
  | { readonly type: 'foreign'; readonly statements: readonly Foreign[]; readonly holdMs: number; readonly isUndone: boolean }
  | { readonly type: 'use'; readonly device: number; readonly kind: string; readonly key: string; readonly forMs: number }
  | { readonly type: 'offline'; readonly device: number; readonly forMs: number }
  | { readonly type: 'cut'; readonly device: number; readonly isSilent: boolean }
  | { readonly type: 'silence'; readonly device: number; readonly ways: readonly Way[]; readonly forMs: number }
  | { readonly type: 'frame'; readonly device: number; readonly way: Way; readonly mishap: FrameMishap }
  | { readonly type: 'slow'; readonly device: number; readonly bytesPerMs: number; readonly forMs: number }
  | {
      readonly type: 'kill-device'
      readonly device: number
      readonly point: string
      readonly count: number
      readonly part: number
      readonly downMs: number
      readonly disk: 'kept' | 'evicted' | 'older'
    }
  | { readonly type: 'reopen'; readonly device: number; readonly downMs: number; readonly isWiped: boolean }
  | { readonly type: 'freeze'; readonly device: number; readonly forMs: number }
  | { readonly type: 'clock'; readonly device: number; readonly byMs: number }
  | { readonly type: 'full'; readonly device: number; readonly forMs: number }
  | { readonly type: 'kill-server'; readonly server: number; readonly point: string; readonly count: number; readonly downMs: number }
  | { readonly type: 'stop-server'; readonly server: number; readonly downMs: number }
  | { readonly type: 'database'; readonly server: number; readonly mishap: Mishap }
  | { readonly type: 'lose'; readonly server: number }
  | { readonly type: 'down'; readonly forMs: number }
  | { readonly type: 'read-only'; readonly forMs: number }
  | { readonly type: 'crawl'; readonly slowMs: number; readonly forMs: number }
  | { readonly type: 'restore'; readonly backMs: number; readonly as: 'failover' | 'restore'; readonly forMs: number }

/** What may go wrong, each in a run or not at all: a run with everything would never get far enough to do anything else. */
const faults: Readonly<Record<string, readonly [perSecond: number, draw: (random: Random, plan: Drawn) => Happening]>> = {
  offline: [0.4, (random, { device }) => ({ type: 'offline', device, forMs: 100 + random.int(4_000) })],
  cut: [0.6, (random, { device }) => ({ type: 'cut', device, isSilent: random.is(0.3) })],
  silence: [0.4, (random, { device }) => ({ type: 'silence', device, ways: random.pick([['up'], ['down'], ['up', 'down']]), forMs: 50 + random.int(9_000) })],
  frame: [0.5, (random, { device }) => ({ type: 'frame', device, way: random.pick(['up', 'down']), mishap: random.pick(['cut', 'truncated', 'garbage']) })],
  // Not down: that frames come in order is what a device is promised by its socket, and all it has.
  hostile: [0.3, (random, { device }) => ({ type: 'frame', device, way: 'up', mishap: random.pick(['twice', 'swapped']) })],
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
      disk: random.pick(['evicted', 'older']),
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
  lose: [0.3, (_, { server }) => ({ type: 'lose', server })],
  down: [0.1, (random) => ({ type: 'down', forMs: 100 + random.int(5_000) })],
  readOnly: [0.1, (random) => ({ type: 'read-only', forMs: 100 + random.int(4_000) })],
  crawl: [0.1, (random) => ({ type: 'crawl', slowMs: 20 + random.int(300), forMs: 1_000 + random.int(3_000) })],
  restore: [0.05, (random) => ({ type: 'restore', backMs: 500 + random.int(5_000), as: random.pick(['failover', 'restore']), forMs: 100 + random.int(2_000) })],
}

interface Drawn {
  readonly device: number
  readonly server: number
}

export const faultNames: readonly string[] = Object.keys(faults)

/** Each seed is another run: of another app, with other faults, and others of each. */
export function drawPlan(seed: number, only: { readonly workload?: string | undefined } = {}): Plan {
  const random = randomOf(seed, 'plan')
  const picked = random.pick(workloadNames)
  const name = only.workload ?? picked
  const workload = drawWorkload(name, seed)
  const devices = [...people, ...people].slice(0, 2 + random.int(4)).map((person) => person)
  const servers = 1 + random.int(3)
  const endMs = 4_000 + random.int(16_000)
  const drawn = faultNames.filter(() => random.is(0.25))
  // A server that starts on a database that was restored meanwhile knows of it by its `stateDirectory`, which is a folder of files and not here.
  const enabled = drawn.includes('restore') ? drawn.filter((name) => name !== 'killServer' && name !== 'stopServer') : drawn
  const steps: Step[] = []
  const at = () => random.int(endMs)
  const acts = Math.round((endMs / 1_000) * (1 + random.int(8)))
  for (let i = 0; i < acts; i++) {
    const device = random.int(devices.length)
    steps.push({ atMs: at(), type: 'act', device, act: workload.act(random, devices[device] ?? '') })
  }
  for (let i = 0; i < (endMs / 1_000) * 2; i++) steps.push(...otherSteps(random, workload, devices.length, at()))
  for (const fault of enabled) {
    const [perSecond, draw] = faults[fault] ?? [0, () => ({ type: 'down', forMs: 0 }) as const]
    const count = Math.max(1, Math.round((endMs / 1_000) * perSecond * (0.5 + random.int(100) / 100)))
    for (let i = 0; i < count; i++) steps.push({ atMs: at(), ...draw(random, { device: random.int(devices.length), server: random.int(servers) }) })
  }
  return {
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
}

function otherSteps(random: Random, workload: Workload, devices: number, atMs: number): readonly Step[] {
  const statements = workload.foreign && random.is(0.5) ? workload.foreign(random) : []
  const use = workload.use && random.is(0.5) ? workload.use(random) : null
  return [
    ...(statements.length > 0
      ? [{ atMs, type: 'foreign', statements, holdMs: random.is(0.1) ? random.int(1_500) : 0, isUndone: random.is(0.1) } as const]
      : []),
    ...(use ? [{ atMs, type: 'use', device: random.int(devices), ...use, forMs: 200 + random.int(8_000) } as const] : []),
  ]
}
