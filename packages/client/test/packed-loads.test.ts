// Loads into empty tables are packed as they come; whatever happens beside them, the device shows what one without packed rows shows.
import { expect, test } from 'vitest'
import { createClient } from '../src/client.ts'
import type { Ports } from '../src/ports.ts'
import { isPacked } from '../src/store/packed.ts'
import { packedRows } from '../src/store/packing.ts'
import { createFixture, me, message, mutators, project, schema, titles } from './fixture.ts'
import { createRandom } from './world.ts'

/** The rows of a client's tables: what `create` made. */
function watched() {
  const option = packedRows()
  const made: ReturnType<typeof option.create>[] = []
  const create: typeof option.create = (...asked) => {
    const rows = option.create(...asked)
    made.push(rows)
    return rows
  }
  const packed = () => made.map((rows) => (isPacked(rows) ? rows.pages.reduce((sum, page) => sum + (page?.size ?? 0), 0) : -1))
  return { option: { ...option, create }, packed }
}

test('a first load lies packed when it is there: no row was made, who follows hears once, and a restart finds the same', async () => {
  const fixture = createFixture({ pieceMax: 30 })
  for (let n = 0; n < 500; n++) fixture.peer.put('projects', project(`p${String(n).padStart(3, '0')}`))
  const { option, packed } = watched()
  const device = fixture.device('ada', '/', {}, option)
  const live = device.query.projects.orderBy('id', 'desc').limit(2).live()
  const heard: unknown[] = []
  live.subscribe(() => heard.push([live.result().rows.map(({ id }) => id), live.result().state]))
  await fixture.clock.advance(1_000)
  // The pages of the two rows that were asked for are made.
  expect(packed()[0]).toBeGreaterThan(400)
  expect(packed()[0]).toBeLessThan(500)
  expect(heard).toEqual([[['p499', 'p498'], 'complete']])
  expect(device.query.projects.where({ id: 'p007' }).first()).toMatchObject({ id: 'p007', title: 'p007', isOpen: true, budget: null })
  fixture.peer.put('projects', project('p007', 'changed'))
  fixture.peer.remove('projects', { id: 'p008' })
  await fixture.clock.advance(100)
  expect(device.query.projects.all()).toHaveLength(499)
  expect(device.query.projects.where({ id: 'p007' }).first()?.title).toBe('changed')
  await device.close()
  const again = fixture.device('ada', '/', {}, packedRows())
  await again.ready
  expect(again.query.projects.all()).toHaveLength(499)
  expect(again.query.projects.where({ title: 'changed' }).all()).toHaveLength(1)
})

test('a column that rows are looked up by is asked before the load, and answers after it', async () => {
  const fixture = createFixture()
  fixture.peer.grant([me, 'project:p1' as typeof me])
  for (let n = 0; n < 200; n++) fixture.peer.put('messages', message(n, 'p1'))
  const device = fixture.device('ada', '/', {}, packedRows())
  const live = device.query.messages.where({ projectId: 'p1' }).live()
  live.subscribe(() => {})
  expect(live.result().rows).toEqual([])
  device.scope('project', 'p1')
  await fixture.clock.advance(1_000)
  expect(live.result().rows).toHaveLength(200)
  fixture.peer.put('messages', message(200, 'p1'))
  await fixture.clock.advance(100)
  expect(live.result().rows).toHaveLength(201)
})

test('what no held scope shows is not kept, whoever sent it', async () => {
  const fixture = createFixture()
  for (let n = 0; n < 5; n++) fixture.peer.put('projects', project(`p${n}`))
  fixture.network.tamper = (frame) => [frame.startsWith('{"type":"load"') ? frame.replace('"p3","ada"', '"p3","linus"') : frame]
  const device = fixture.device('ada', '/', {}, packedRows())
  await fixture.clock.advance(1_000)
  expect(titles(device)).toEqual(['p0', 'p1', 'p2', 'p4'])
})

const seeds = Number(process.env.SEEDS ?? 20)

test(`${seeds} seeds: with changes, cuts, pending mutations, revocations and restarts beside the loads, packed rows are those of a device without`, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = createRandom(seed)
    const pick = (n: number) => Math.floor(random() * n)
    const fixture = createFixture({ pieceMax: 1 + pick(40) })
    fixture.peer.grant([me, 'project:p1' as typeof me, 'project:p2' as typeof me])
    for (let n = 0; n < 60; n++) fixture.peer.put('projects', project(`p${n}`))
    for (let n = 0; n < 60; n++) fixture.peer.put('messages', message(n, `p${n % 4}`))
    const open = (name: string, isPacked: boolean) => {
      const ports: Ports = { ...fixture.ports(seed), openDisk: (of) => fixture.disks.open(`${name} ${of}`) }
      const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports, ...(isPacked && { rows: packedRows() }) })
      client.onError((error) => fixture.errors.push(error))
      return client
    }
    let pair = [open('packed', true), open('plain', false)] as const
    const held = new Set<string>()
    for (let at = 0; at < 12; at++) {
      const id = `p${pick(70)}`
      const steps = [
        () => fixture.peer.put('projects', project(id, `t${at}`)),
        () => fixture.peer.remove('projects', { id }),
        () => fixture.peer.put('messages', message(pick(80), `p${pick(4)}`)),
        () => fixture.network.cut(),
        () => pair[0].mutate.projects.insert(project(`new${seed}-${at}`)),
        () => {
          const key = `p${1 + pick(2)}`
          if (!held.has(key)) for (const client of pair) client.scope('project', key)
          held.add(key)
        },
        () => fixture.peer.grant(random() < 0.5 ? [me, 'project:p2' as typeof me] : [me, 'project:p1' as typeof me, 'project:p2' as typeof me]),
        async () => {
          await fixture.clock.advance(500)
          for (const client of pair) await client.close()
          held.clear()
          pair = [open('packed', true), open('plain', false)]
        },
      ]
      await steps[pick(steps.length)]?.()
      await fixture.clock.advance(pick(40))
    }
    // What was denied, or let go of because nobody used it, is asked for again with the next greeting.
    fixture.peer.grant([me, 'project:p1' as typeof me, 'project:p2' as typeof me])
    for (const client of pair) for (const key of ['p1', 'p2']) client.scope('project', key)
    fixture.network.cut()
    await fixture.clock.advance(30_000)
    const shown = pair.map((client) => [client.query.projects.orderBy('id').all(), client.query.messages.orderBy('id').all()])
    expect(shown[0], `seed ${seed}`).toEqual(shown[1])
    expect(fixture.errors, `seed ${seed}`).toEqual([])
    for (const client of pair) await client.close()
  }
})
