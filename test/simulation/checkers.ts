// What must hold, each by its name. Those that watch while the world lives are where they watch; these look back when all is calm.
import { HeadwaterError } from '@headwater/protocol'
import type { SqlRow } from '@headwater/server'
import { isVisible, snapshotOf } from '../../packages/server/src/feed/snapshot.ts'
import { snakeCase } from '../../packages/server/src/sql/name.ts'
import { judgeFrames, judgeLast, judgeMoments } from '../harness/generated/judge.ts'
import { type Holdings, holdingsOf } from '../harness/generated/oracle.ts'
import { type Past, placeOf, readPast, type State } from '../harness/generated/past.ts'
import type { SimulatedDevice } from './device.ts'
import type { Step } from './plan.ts'
import type { Made } from './tab.ts'
import { judgeTabs } from './tabs.ts'
import type { World } from './world.ts'

export interface Finding {
  readonly checker: Checker
  readonly text: string
  /** After the beginning of the run. */
  readonly atMs: number
}

export const checkers = [
  'no lost write',
  'applied once',
  'in order',
  'one state per checkpoint',
  'no leak',
  'read your writes',
  'never back in time',
  'a lost past is noticed',
  'a device stays itself',
  'one connection per device',
  'a session that has ended is over',
  'nothing of another person',
  'live query equals recomputation',
  'convergence',
  'no memory growth',
  'what the app keeps',
  'no bug of ours',
] as const
export type Checker = (typeof checkers)[number]

type Found = readonly (readonly [Checker, string])[]

/** What a run has left: to be read once, when nothing happens any more. */
interface Left {
  readonly past: Past
  readonly holdings: readonly Holdings[]
  /** By id, the first record of every mutation. */
  readonly records: ReadonlyMap<string, SqlRow>
  readonly doubled: readonly SqlRow[]
  readonly marks: readonly SqlRow[]
}

export async function judge(world: World, convergedMs: number): Promise<readonly Finding[]> {
  const left = await read(world)
  const found = [
    ...judgeConvergence(world, left, convergedMs),
    ...judgeWrites(world, left),
    ...judgeOnce(world, left),
    ...judgeOrder(world, left),
    ...(world.rewound ? [] : judgePast(world, left)),
    ...judgePeople(world, left),
    ...judgeNames(world),
    ...judgeApp(world, left),
    ...judgeGrowth(world),
    ...judgeTroubles(world),
  ]
  return found.map(([checker, text]) => ({ checker, text, atMs: world.plan.endMs }))
}

async function read({ psql, workload, time }: World): Promise<Left> {
  const work = async (): Promise<Left> => {
    const past = await readPast(psql, workload.schema)
    const records = await psql.query('select m.id, m.outcome, m.code, m.reason, m.device from headwater.mutations m where m.is_first')
    return {
      past,
      holdings: await holdingsAt(
        past,
        (some) => holdingsOf(psql, some, workload.grants),
        Object.values(workload.grants).map(({ text }) => text),
      ),
      records: new Map(records.map((row) => [String(row.id), row])),
      doubled: await psql.query(
        `select id, count(*)::int as count from headwater.mutations where outcome = 'applied' and is_first group by 1 having count(*) > 1`,
      ),
      marks: await psql.query('select id, count, last, is_ordered from marks'),
    }
  }
  return time.until(work())
}

/** Grants are worked out anew only where a table has changed that they read. */
async function holdingsAt(past: Past, work: (past: Past) => Promise<readonly Holdings[]>, texts: readonly string[]): Promise<readonly Holdings[]> {
  const known = new Map<string, Holdings>()
  const answers: Holdings[] = []
  for (const state of past.states) {
    const relevant = [...state].filter(([name]) => texts.some((text) => text.includes(name)))
    const key = JSON.stringify(relevant.map(([name, rows]) => [name, [...rows]]))
    const [answer] = known.has(key) ? [known.get(key)] : await work({ states: [state], xids: [] })
    if (!answer) throw new Error('There is an answer for every state.')
    known.set(key, answer)
    answers.push(answer)
  }
  return answers
}

/** R4: within the time, everybody is level and shows what SQL says. */
function judgeConvergence({ devices, workload }: World, { past, holdings }: Left, convergedMs: number): Found {
  const late = Number.isFinite(convergedMs) ? [] : devices.map((device) => `${device.name}: ${statusOf(device)}`)
  const last = devices.flatMap((device) => {
    const clients = device.clients()
    if (clients.length === 0) return [`${device.name} does not run`]
    // Who came to lead last says what it holds, and who has let go of a scope since: neither may be told of anything more.
    return clients.flatMap((client) => judgeLast(workload, past, holdings, { ...device, moments: device.states, client: () => client, inUse: device.inUse }))
  })
  return [...late, ...last].map((text) => ['convergence', text])
}

function statusOf(device: SimulatedDevice): string {
  const texts = device.clients().map(({ status }) => {
    const { phase, pending, problem } = status.get()
    return `${phase}, ${pending} pending${problem ? `, ${problem.code}: ${problem.message}` : ''}`
  })
  return texts.join('; ') || 'does not run'
}

/** W1, W4: what was said to be saved is in the database, or set aside for the person; what was said to be applied is there. */
function judgeWrites({ devices, rewound, workload }: World, { records }: Left): Found {
  return devices.flatMap((device) => {
    const setAside = device.clients().flatMap(({ setAside }) => setAside.list())
    const aside = new Set(setAside.map(({ id }) => id))
    // F4: who lost the newest commits asks for them again; nobody has decided against them.
    const unasked = rewound?.as === 'failover' ? setAside.filter(({ code }) => code === 'lost') : []
    const isThere = ({ id }: Made) => records.has(id) || aside.has(id)
    // What the database has lost is offered again by the disk that remembers it.
    const remembered = device.made.filter(({ isForgotten }) => !(rewound && isForgotten))
    // Where nobody knew that it was taken back, what was final then is lost: see what is not promised.
    const wasFinal = ({ id, outcome }: Made) => outcome?.type === 'applied' || device.told.has(id)
    const kept = remembered.filter((made) => !(rewound?.as === 'unnoticed' && made.atMs < rewound.atMs && wasFinal(made)))
    const lost = kept.filter((made) => made.state === 'saved' && !made.isGone && !isThere(made) && made.outcome?.type !== 'refused')
    const undone = kept.filter(({ id, outcome }) => outcome?.type === 'applied' && records.get(id)?.outcome !== 'applied' && !aside.has(id))
    const refused = device.made.flatMap((made) => {
      const code = String(records.get(made.id)?.code ?? 'none')
      return records.get(made.id)?.outcome === 'refused' && !refusals.has(code) && !workload.refuses?.includes(code)
        ? [`${nameOf(made)} was refused as ${code}, which nobody declares`]
        : []
    })
    return [
      ...refused,
      ...unasked.map(({ id }) => `${device.name}: ${id} was set aside as lost, and a failover asks for it`),
      ...lost.map((made) => `${nameOf(made)} was saved, and is nowhere`),
      ...(rewound?.as === 'restore' ? [] : undone.map((made) => `${nameOf(made)} was confirmed, and is ${records.get(made.id)?.outcome ?? 'nowhere'}`)),
    ].map((text) => ['no lost write', text] as const)
  })
}

/** What the server refuses by, by rules and constraints. `failed`: its time was up three times in a row, as a plan may have it. */
const refusals: ReadonlySet<string> = new Set([
  ...['absent', 'conflict', 'denied', 'forbidden', 'hidden', 'not-held', 'unique', 'reference', 'required', 'check', 'void', 'failed'],
])

const nameOf = ({ device, mark, name, id }: Made) => `${device}: ${name}${mark === null ? '' : `, its ${mark}th`} (${id})`

/** W2: its effects are there as often as its record, which is once. */
function judgeOnce({ devices }: World, { records, doubled, marks }: Left): Found {
  const twice = doubled.map(({ id, count }) => `mutation ${id} was applied ${count} times`)
  const made = devices.flatMap((device) => device.made.filter(({ mark }) => mark !== null))
  const counts = [...new Set(made.map(({ marker }) => marker))].flatMap((marker) => {
    const applied = made.filter((one) => one.marker === marker && records.get(one.id)?.outcome === 'applied').length
    const counted = Number(marks.find(({ id }) => id === marker)?.count ?? 0)
    return applied === counted ? [] : [`${marker}: ${applied} mutations were applied, and it counts ${counted}`]
  })
  return [...twice, ...counts].map((text) => ['applied once', text])
}

/** W3. A device that lost its disk is another one, which may overtake what the first had sent. */
function judgeOrder({ plan, devices }: World, { marks }: Left): Found {
  const isTorn = (name: string) =>
    plan.steps.some((step) => {
      const isLoss = (step.type === 'kill-device' && step.disk !== 'kept') || (step.type === 'reopen' && step.isWiped)
      return isLoss && 'device' in step && devices[step.device]?.made.some(({ marker }) => marker === name)
    })
  return marks
    .filter(({ id, is_ordered }) => is_ordered === false && !isTorn(String(id)))
    .map(({ id }) => ['in order', `${id}: its mutations were carried out in another order`])
}

/** R2, R3, S1: at every checkpoint one state of the past, never an earlier one, and nothing else was ever sent. */
function judgePast({ devices, workload, plan }: World, { past, holdings }: Left): Found {
  return devices.flatMap((device, i) => {
    const moments = judgeMoments(workload, past, holdings, device).map((text) => ['one state per checkpoint', text] as const)
    // What it claims to hold is told back to it as not granted.
    const isOwnClaim = (text: string) => (workload.nobodys ?? []).some((scope) => text.includes(`was sent ${scope.slice(scope.indexOf(':') + 1)}:`))
    const leaks = judgeFrames(workload, past, holdings, device).filter((text) => !isOwnClaim(text))
    const frames = leaks.map((text) => ['no leak', text] as const)
    const isAnother = plan.steps.some((step) => 'device' in step && step.device === i && step.type === 'kill-device' && ['older', 'copied'].includes(step.disk))
    const places = device.moments.map(({ cursor }) => {
      const snapshot = snapshotOf(cursor.split(' ')[2] ?? '')
      return placeOf(past, (xid) => isVisible(xid, snapshot))
    })
    const back = isAnother ? -1 : places.findIndex((place, at) => place < (places[at - 1] ?? 0))
    const tabs = judgeTabs(workload, past, holdings, device).map((text) => ['one state per checkpoint', text] as const)
    return [
      ...moments,
      ...tabs,
      ...frames,
      ...(back < 0 ? [] : [['never back in time', `${device.name}: from ${places[back - 1]} to ${places[back]}`] as const]),
    ]
  })
}

/** S7, W9: whoever else is on the same machine, a person is shown what they may see and what they have typed, and sends what they have made. */
function judgePeople({ devices, workload, rewound }: World, { past, holdings }: Left): Found {
  return devices.flatMap(({ name, person, sent, screens, typed }) => {
    const own = new Set(devices.flatMap((other) => (other.person === person ? other.made.map(({ id }) => String(id)) : [])))
    const foreign = [...sent].filter((id) => !own.has(id)).map((id) => `${name} has sent ${id}, which ${person} has not made`)
    // What was lost with the past is known to no oracle.
    const wrong = rewound || screens.length === 0 ? [] : judgeFrames(workload, past, holdings, { person, frames: [...screens] }, typed)
    return [...foreign, ...wrong].map((text) => ['nothing of another person', text] as const)
  })
}

/** A device takes another name only where its store was lost or copied, or is not as it was written. */
function judgeNames({ plan, devices, rewound, estranged }: World): Found {
  // Mutations that overtake each other on one connection are no network's doing either: the server takes it for a copy's.
  const isReason = (step: Step) =>
    ['kill-device', 'reopen', 'full'].includes(step.type) || (step.type === 'frame' && (step.mishap === 'swapped' || step.mishap === 'twice'))
  const mayLose = (i: number) => plan.steps.some((step) => 'device' in step && step.device === i && isReason(step))
  const isCopied = plan.steps.some((step) => step.type === 'kill-device' && step.disk === 'copied')
  if (rewound || isCopied) return []
  // Whom a database that was taken back does not know, or by an older nonce, it cannot tell from a copy: its past is this one, and nothing else says that it was taken back.
  const namesMax = (ids: ReadonlySet<string>) => 1 + [...ids].filter((id) => estranged.has(id)).length
  return devices.flatMap(({ name, ids }, i) =>
    ids.size > namesMax(ids) && !mayLose(i) ? [['a device stays itself', `${name} has greeted as ${[...ids].join()}`] as const] : [],
  )
}

/** What the app says of itself, of every state that the database was in. */
function judgeApp({ workload }: World, { past }: Left): Found {
  const rowsOf = (state: State) => (table: string) => [...(state.get(snakeCase(table))?.values() ?? [])]
  return past.states.flatMap((state, i) => {
    const wrong = workload.wrong?.(rowsOf(state))
    return wrong ? [['what the app keeps', `state ${i}: ${wrong}`] as const] : []
  })
}

/** What is left when all is calm does not depend on what has happened before. */
function judgeGrowth({ time, network, devices, servers }: World): Found {
  const [timers, timersMax] = [time.timers(), 20 * servers.length + 10 * devices.flatMap(({ owners }) => owners()).length + 20]
  const open = network.open()
  return [
    ...(timers > timersMax ? [['no memory growth', `${timers} timers are set`] as const] : []),
    ...(open > devices.length ? [['no memory growth', `${open} connections of ${devices.length} devices are open`] as const] : []),
    ...devices.filter(({ records }) => records() > recordsMax).map((device) => ['no memory growth', `${device.name} has ${device.records()} records`] as const),
  ]
}

const recordsMax = 3_000

/** Nobody else opens a device's disk here, and nothing damages it. */
const ours: ReadonlySet<string> = new Set(['internal', 'bug', 'nested', 'over', 'corrupt', 'disk-blocked'])

/** Whatever the world does, what is reported of it are the typed errors of it. */
function judgeTroubles({ troubles, plan }: World): Found {
  // With several tabs a frame is on the disk before it is read. A piece of a load behind its checkpoint, which no network makes of what was sent in order, makes a log of it that no tab can
  // read to its end: each says so, gives up its rows and loads them again, which is judged by all else.
  const isMisled = (plan.tabs ?? []).some((count) => count > 1) && plan.steps.some((step) => step.type === 'frame' && step.mishap === 'late')
  const isOurs = (error: unknown) => !(error instanceof HeadwaterError) || (ours.has(error.code) && !(isMisled && error.code === 'corrupt'))
  const texts = new Set(troubles.filter(isOurs).map((error) => (error instanceof Error ? `${error.stack}`.split('\n').slice(0, 3).join(' ') : String(error))))
  return [...texts].map((text) => ['no bug of ours', text])
}
