// Tabs that are opened, killed, frozen, woken and stalled at any moment, over a network that comes and goes: one device all the same.
import { expect, test } from 'vitest'
import { project } from './fixture.ts'
import { createTabs, shown, storeName, type Tab } from './tabs.ts'
import { breathe, createRandom } from './world.ts'

const seeds = Number(process.env.HEADWATER_SEEDS ?? 25)
const firstSeed = Number(process.env.HEADWATER_SEED ?? 1)

interface Watched extends Tab {
  isFrozen: boolean
  /** The highest that the server's count was seen at. */
  seen: number
}

/** What may happen, by name; `tabs` are those that live. */
function createSchedule(seed: number) {
  const random = createRandom(seed)
  const below = (max: number) => Math.floor(random() * max)
  const world = createTabs()
  const { clock, peer, network } = world
  const tabs: Watched[] = []
  const saved = new Set<string>()
  let [count, made, isOnline] = [0, 0, true]
  const pick = (among: readonly Watched[]) => among[below(among.length)]
  const drop = (tab: Watched) => tabs.splice(tabs.indexOf(tab), 1)
  const awake = () => tabs.filter(({ isFrozen }) => !isFrozen)
  const turn = (isFrozen: boolean, tab: Watched) => {
    tab.isFrozen = isFrozen
    if (isFrozen) tab.freeze()
    else tab.wake()
  }

  function open(): void {
    const tab: Watched = Object.assign(world.open(), { isFrozen: false, seen: 0 })
    tab.client.query.projects
      .where({ id: 'count' })
      .live()
      .subscribe(() => look(tab))
    tabs.push(tab)
  }

  function look(tab: Watched): void {
    const rank = tab.client.query.projects.where({ id: 'count' }).first()?.rank ?? 0
    // R2: what was seen stays seen.
    if (rank < tab.seen) throw new Error(`R2: seed ${seed}: a tab saw ${tab.seen}, and then ${rank}.`)
    tab.seen = rank
  }

  function make({ client }: Watched): void {
    const id = `m${made++}`
    const one = random() < 0.3 ? client.mutate.bump({ id: 'bumped' }) : client.mutate.projects.insert(project(id))
    // W1: from then on it may not be lost.
    one.saved.then(
      () => saved.add(one.id),
      () => {},
    )
  }

  const one = (among: () => readonly Watched[], run: (tab: Watched) => void) => () => {
    const tab = pick(among())
    if (tab) run(tab)
  }
  const actions: Readonly<Record<string, () => void>> = {
    open: () => tabs.length < 5 && open(),
    make: one(awake, make),
    kill: one(
      () => tabs,
      (tab) => {
        if (random() < 0.5) tab.leave()
        tab.kill()
        drop(tab)
      },
    ),
    close: one(awake, (tab) => {
      void tab.client.close()
      drop(tab)
    }),
    freeze: one(awake, (tab) => turn(true, tab)),
    wake: one(
      () => tabs.filter(({ isFrozen }) => isFrozen),
      (tab) => turn(false, tab),
    ),
    /** Too long a task: slow, not frozen. */
    stall: one(awake, (tab) => {
      turn(true, tab)
      clock.timer(below(900), () => turn(false, tab))
    }),
    network: () => {
      isOnline = !isOnline
      network.setOnline(isOnline)
    },
    cut: () => network.cut(),
    count: () => peer.put('projects', project('count', 'Count', ++count)),
  }
  async function end(): Promise<void> {
    if (!isOnline) network.setOnline(true)
    for (const tab of tabs) if (tab.isFrozen) tab.wake()
    // What is fetched, and what a tab does that wakes, takes no time by this clock.
    for (let n = 0; n < 12; n++) {
      for (let task = 0; task < 30; task++) await breathe()
      await clock.advance(10_000)
    }
  }

  async function play(): Promise<void> {
    peer.put('projects', project('bumped'))
    open()
    for (let turn = 0; turn < 60; turn++) {
      actions[dice[below(dice.length)] ?? 'make']?.()
      // Often in the same moment, sometimes long after.
      await clock.advance(random() < 0.4 ? 0 : below(random() < 0.2 ? 7_000 : 60))
    }
  }
  return { world, tabs, saved, open, look, play, end, awake, drop }
}

const dice = 'open make make make make kill close freeze wake stall stall network cut count count count'.split(' ')

async function run(seed: number): Promise<void> {
  const { world, tabs, saved, open, look, play, end } = createSchedule(seed)
  const { peer } = world
  await play()
  if (tabs.length === 0) open()
  await end()
  for (const tab of tabs) look(tab)
  const expected = peer
    .rows('projects')
    .toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
    .map(({ id, rank }) => ({ id, rank }))
  const where = `seed ${seed}`
  for (const tab of tabs) {
    const { rows, pending, setAside, status } = shown(tab)
    expect({ rows: rows.map(({ id, rank }) => ({ id, rank })), pending, setAside, phase: status.phase, problem: status.problem }, where).toEqual({
      rows: expected,
      pending: [],
      setAside: [],
      phase: 'live',
      problem: null,
    })
  }
  // W3: the peer throws where a number is missing. W2: what a tab has left may come again under another number, and is carried out once.
  const received = peer.received.map(({ id }) => id)
  const bumps = new Set(peer.received.flatMap(({ id, name }) => (name === 'bump' ? [id] : [])))
  expect(expected.find(({ id }) => id === 'bumped')?.rank, `W2: ${where}`).toBe(bumps.size)
  for (const id of saved) expect(received, `W1: ${where}`).toContain(id)
  // F8: what two tabs took for theirs would be another device by now.
  expect(peer.devices.size, `F8: ${where}`).toBe(1)
}

async function signOut(seed: number): Promise<void> {
  const { world, tabs, open, play, end, awake, drop } = createSchedule(seed)
  const { clock, peer, disks, texts } = world
  await play()
  if (awake().length === 0) open()
  await clock.advance(5_000)
  const [tab] = awake()
  if (!tab) throw new Error('A tab that was opened is frozen.')
  const wiped = tab.client.wipe()
  drop(tab)
  await end()
  await wiped
  for (const { rows, pending, status } of tabs.map(shown)) expect([rows, pending, status.problem?.code], `S7: seed ${seed}`).toEqual([[], [], 'closed'])
  expect([disks.records(storeName()), texts.size, peer.sessions.size], `S7: seed ${seed}`).toEqual([[], 0, 0])
}

async function each(seeds: number, one: (seed: number) => Promise<void>): Promise<void> {
  const failed: string[] = []
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) await one(seed).catch((error) => failed.push(`${seed}: ${error.message.slice(0, 900)}`))
  expect(failed).toEqual([])
}

test(`W1 W3 F8 R2: whatever happens to tabs, they are one device (seeds ${firstSeed} to ${firstSeed + seeds - 1})`, { timeout: 600_000 }, () =>
  each(seeds, run),
)

test('S7: whatever has happened to tabs, who signs out in one has signed out in all, and nothing is left', { timeout: 600_000 }, () => each(seeds, signOut))
