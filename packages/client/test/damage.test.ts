// W1, R2: whatever record of a store is damaged, that is said, the rest of the outbox stays, and rows come again from the server. A disk hands out '' in its place.
import { expect, test } from 'vitest'
import { createClient } from '../src/client.ts'
import { packedRows } from '../src/store/packing.ts'
import { leastRecentlyUsed } from '../src/sync/eviction.ts'
import { createFixture, expectLevel, me, mutators, project, schema } from './fixture.ts'
import { createTabs, shown, storeName } from './tabs.ts'

type Rows = 'objects' | 'packed'

const many = (rank: number) => Array.from({ length: 200 }, (_, n) => project(`q${100 + n}`, 'Many', rank))

/** A device that has lived for a while: it has loaded, followed, been refused, given up, used scopes, been written anew (or not), and made things offline. */
async function lived(rows: Rows) {
  const fixture = createFixture()
  const { peer, clock, network, ports, errors } = fixture
  let seed = 50
  const open = () => {
    const options = { schema, mutators, url: 'http://server/', user: 'ada', eviction: leastRecentlyUsed(), ports: ports(seed++) }
    const client = createClient(rows === 'packed' ? { ...options, rows: packedRows() } : options)
    client.onError((error) => errors.push(error))
    return client
  }
  peer.grant([me, 'project:p1' as never])
  peer.put('projects', ...many(0), project('p1', 'One'))
  const client = open()
  await clock.advance(100)
  client.scope('project', 'p1')
  client.keep('project', 'p1')
  await clock.advance(100)
  client.mutate.projects.insert(project('q100'))
  client.mutate.projects.insert(project('s1'))
  await clock.advance(100)
  // From here on the log has what came before as it is written anew.
  for (let n = 0; n < 11 && rows === 'packed'; n++) {
    peer.put('projects', ...many(n))
    await clock.advance(10)
  }
  peer.put('projects', project('p1', 'Two'))
  await clock.advance(1_000)
  network.setOnline(false)
  await clock.advance(10)
  const gone = client.mutate.projects.insert(project('gone'))
  await client.mutate.projects.insert(project('m1')).saved
  await client.mutate.projects.update({ id: 'p1', rank: 7 }).saved
  await gone.discard()
  await client.mutate.projects.insert(project('m2')).saved
  await client.close()
  return { ...fixture, open }
}

const kindOf = (record: string) => /^\{"(\w+)":(?:"(\w+)"|\{"(\w+)"|)/.exec(record)?.slice(1).filter(Boolean).join(' ') ?? ''

test.each(['objects', 'packed'] as const)(
  'W1: any one record damaged, of rows as %s: it is said, what else waited reaches the database once, and rows are those of the server',
  async (rows) => {
    const kinds = new Set<string>()
    const { disks } = await lived(rows)
    const all = disks.records(storeName()).map(kindOf)
    // Of each kind the first and the last.
    for (const at of new Set(all.flatMap((kind) => [all.indexOf(kind), all.lastIndexOf(kind)]))) {
      const fixture = await lived(rows)
      const { peer, clock, network, errors, open } = fixture
      const disk = await fixture.disks.open(storeName())
      const before = await disk.read()
      const [damaged = ''] = before.slice(at, at + 1)
      kinds.add(kindOf(damaged))
      await disk.replace(before.map((record, i) => (i === at ? '' : record)))
      await disk.close()
      const kept = ['m1', 'm2'].filter((id) => !damaged.includes(`"${id}"`))
      const client = open()
      await client.ready
      expect(errors.map(({ code }) => code)).toContain('corrupt')
      expect(client.query.projects.all().map(({ id }) => id)).toEqual(expect.arrayContaining(kept))
      network.setOnline(true)
      await clock.advance(60_000)
      expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0, problem: null })
      expectLevel(fixture, client)
      expect(peer.rows('projects').map(({ id }) => id)).toEqual(expect.arrayContaining(kept))
      await client.close()
      // It is whole again.
      errors.length = 0
      const again = open()
      await again.ready
      expect(errors).toEqual([])
      expectLevel(fixture, again)
      await again.close()
    }
    expect([...kinds].sort()).toEqual(
      rows === 'packed'
        ? ['headwater', 'outbox discarded', 'outbox identity', 'outbox made', 'page table', 'type checkpoint', 'type welcome', 'uses']
        : ['headwater', 'outbox discarded', 'outbox identity', 'outbox made', 'outbox numbered', 'type checkpoint', 'type load', 'type welcome', 'uses'],
    )
  },
)

test('W1 W3: a store that is found damaged by a tab that follows is repaired, and both tabs show what the server has', async () => {
  const world = createTabs()
  const { peer, clock, disks, open, errors } = world
  peer.put('projects', project('p1', 'One'), project('p2'))
  const one = open()
  await clock.advance(100)
  one.client.mutate.projects.insert(project('m1'))
  await clock.advance(1_000)
  const disk = await disks.open(storeName())
  const before = await disk.read()
  for (let at = 0; at < before.length; at++) {
    errors.length = 0
    const hand = await disks.open(storeName())
    const lying = await hand.read()
    await hand.replace(lying.map((record, i) => (i === at ? '' : record)))
    await hand.close()
    const other = open()
    await clock.advance(10_000)
    one.client.mutate.projects.update({ id: 'p1', rank: at })
    other.client.mutate.projects.insert(project(`n${at}`))
    await clock.advance(30_000)
    expect(errors.map(({ code }) => code)).toContain('corrupt')
    expect(shown(other)).toEqual(shown(one))
    expect(shown(one)).toMatchObject({ pending: [], setAside: [], status: { phase: 'live', problem: null } })
    expect(shown(one).rows.map(({ id }) => id)).toEqual(
      peer
        .rows('projects')
        .map(({ id }) => id)
        .sort(),
    )
    await other.client.close()
    await clock.advance(1_000)
  }
})
