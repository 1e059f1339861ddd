// HC29 with builds as browsers have them at the same time: each is a bundle of its own, and has nothing in common with the other but the disk and the locks.
import { HeadwaterError, scopeKey } from '@headwater/protocol'
import { beforeAll, expect, test } from 'vitest'
import { schema } from '../../../test/e2e/tabs/schema.ts'
import { type BuildName, importBuild, type TabBuild } from '../../../test/harness/builds.ts'
import type { Disk, Ports } from '../src/ports.ts'
import { createMemoryTabs } from '../src/tabs/memory.ts'
import { createPage, type Page } from './page.ts'
import { createPeer } from './peer.ts'
import { storeName } from './tabs.ts'
import { createWorld } from './world.ts'

const builds = new Map<BuildName, TabBuild>()
beforeAll(async () => {
  for (const name of ['former', 'present', 'newer'] as const) builds.set(name, await importBuild(name))
})

interface Tab extends Page {
  readonly client: ReturnType<TabBuild['openTab']>
}

function createBrowser() {
  const peer = createPeer({ schema })
  const world = createWorld(peer.accept, undefined, { isShared: true })
  const [tabs, texts] = [createMemoryTabs(), new Map<string, string>()]
  const all: Tab[] = []
  peer.grant([scopeKey('board', 'b1')])
  const open = async (name: BuildName, ms = 2_000): Promise<Tab> => {
    const page = createPage({ ports: world.ports(all.length + 1), tabs, texts })
    const build = builds.get(name)
    if (!build) throw new Error(`There is no build ${name}.`)
    const openDisk: Ports['openDisk'] = async (name) => ofBuild(build, await page.ports.openDisk(name))
    const tab = { ...page, client: build.openTab({ url: 'http://server/', user: 'ada', ports: { ...page.ports, openDisk } }) }
    all.push(tab)
    await world.clock.advance(ms)
    return tab
  }
  return { ...world, peer, all, open, write: (tab: Tab, id: string) => tab.client.mutate.notes.insert({ id, boardId: 'b1' }) }
}

/** In a browser each build has a disk of its own code, over one database; here the disk's errors are made those of the build. */
function ofBuild({ diskError }: TabBuild, disk: Disk): Disk {
  const own = <T>(answer: Promise<T>) =>
    answer.catch((error) => {
      throw error instanceof HeadwaterError ? diskError(error.code, error.message) : error
    })
  return {
    read: () => own(disk.read()),
    news: () => own(disk.news()),
    append: (...asked) => own(disk.append(...asked)),
    replace: (...asked) => own(disk.replace(...asked)),
    wipe: () => own(disk.wipe()),
    close: () => own(disk.close()),
  }
}

const shown = ({ client }: Tab) => ({
  notes: client.query.notes
    .orderBy('id')
    .all()
    .map(({ id }) => id),
  pending: client.pending.get().map(({ name }) => name),
  problem: client.status.get().problem?.code ?? null,
})

test.each([
  ['former', 'present'],
  ['present', 'former'],
  ['present', 'newer'],
  ['former', 'newer'],
] as const)(
  'HC29: a tab of a %s build and then one of a %s build: what is made in either is in both or said, and reaches the database once',
  async (first, second) => {
    const { clock, network, peer, open, write, all } = createBrowser()
    const one = await open(first)
    await write(one, 'n1').saved
    const other = await open(second)
    const isNewer = second === 'newer'
    const ids = ['n1']
    for (const isOnline of [true, false, true]) {
      network.setOnline(isOnline)
      await clock.advance(60_000)
      for (const tab of all) {
        const id = `n${ids.length + 1}`
        ids.push(id)
        await write(tab, id).saved
        await clock.advance(1_000)
      }
    }
    await clock.advance(60_000)
    expect(peer.rows('notes').map(({ id }) => id)).toEqual(ids)
    expect(peer.received.map(({ args }) => (args as { row: { id: string } }).row.id)).toEqual(ids)
    expect([peer.sessions.size, peer.devices.size]).toEqual([1, 1])
    expect(shown(other)).toEqual({ notes: ids, pending: [], problem: null })
    // A store of a newer format is not read: what was here and what this tab made stays, and it says what to do.
    if (isNewer) expect(shown(one)).toEqual({ notes: expect.arrayContaining(['n1', 'n2', 'n4', 'n6']), pending: expect.anything(), problem: 'reload' })
    else expect(shown(one)).toEqual(shown(other))
    await one.client.close()
    const reloaded = await open(second)
    expect(shown(reloaded)).toEqual(shown(other))
  },
)

test.each(['former', 'present'] as const)(
  'HC29: a tab of a %s build that is opened beside a newer store makes nothing, touches nothing, and says to reload',
  async (name) => {
    const { clock, disks, open, write, peer } = createBrowser()
    const before = await open(name)
    await write(before, 'n1').saved
    await clock.advance(1_000)
    await before.client.close()
    const newer = await open('newer')
    await write(newer, 'n2').saved
    await clock.advance(1_000)
    expect(disks.records(storeName())[0]).toBe('{"headwater":2}')
    const lying = disks.records(storeName())
    const older = await open(name)
    await expect(older.client.ready).rejects.toMatchObject({ code: 'store-version' })
    await expect(write(older, 'n3').saved).rejects.toMatchObject({ code: 'store-version' })
    expect(older.client.status.get()).toMatchObject({ phase: 'stopped', problem: { code: 'store-version', hint: 'Reload the page.' } })
    expect(disks.records(storeName())).toEqual(lying)
    await write(newer, 'n4').saved
    await clock.advance(10_000)
    expect(shown(newer)).toEqual({ notes: ['n1', 'n2', 'n4'], pending: [], problem: null })
    expect(peer.rows('notes')).toHaveLength(3)
  },
)

test('HC29: whenever a tab of a newer build comes while one of the present build starts and makes something, that is shown in both', async () => {
  for (let ms = 0; ms < 60; ms++) {
    const { clock, peer, open, write } = createBrowser()
    peer.put('notes', { id: 'a1', boardId: 'b1' })
    const one = await open('present', 2)
    const { saved } = write(one, 'n1')
    await clock.advance(ms)
    const other = await open('newer', 5_000)
    await saved
    await clock.advance(5_000)
    expect([ms, shown(one).notes, shown(one).problem]).toEqual([ms, expect.arrayContaining(['n1']), 'reload'])
    expect(shown(other)).toEqual({ notes: ['a1', 'n1'], pending: [], problem: null })
  }
})
