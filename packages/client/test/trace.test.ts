import { scopeKey } from '@headwater/protocol'
import { expect, test } from 'vitest'
import { createTrace, type TraceOptions } from '../src/trace/trace.ts'
import { createFixture, message, project } from './fixture.ts'

const canary = 'canary-7d1f'

/** A device that loads, writes, is refused, uses a scope and loses its connection, all of it with values that nobody may read elsewhere. */
async function traced(options: TraceOptions = {}) {
  const fixture = createFixture()
  const { clock, peer, network, device } = fixture
  const trace = createTrace(options)
  peer.grant([scopeKey('user', 'ada'), scopeKey('project', 'p1')])
  peer.put('projects', project('p1', canary), project('p2', canary))
  peer.put('messages', { ...message(1, 'p1'), content: canary })
  const client = device('ada', '/', trace.ports(fixture.ports()))
  await clock.advance(100)
  const scope = client.scope('project', 'p1')
  await clock.advance(100)
  client.mutate.projects.update({ id: 'p1', title: `${canary} of mine` })
  client.mutate.bump({ id: 'p2' })
  await clock.advance(100)
  network.setOnline(false)
  client.mutate.projects.insert({ id: 'p3', title: canary })
  await clock.advance(10)
  return { ...fixture, trace, client, scope }
}

test('a trace says in order what was said and heard, and nothing of what is in it', async () => {
  const lines: string[] = []
  const { trace, clock, network } = await traced({ print: (line) => lines.push(line) })
  const texts = trace.entries().map(({ text }) => text)
  for (const text of [
    'connects to server',
    'is connected',
    'says hello with nothing here',
    'welcome: all is loaded anew (new)',
    'a piece of load 0: 2 rows of projects',
    'asks for scopes of project',
    'pushes projects.update, number 1',
    'pushes bump, number 2',
    'the connection is over',
  ])
    expect(texts).toContain(text)
  const at = (start: string) => texts.findIndex((text) => text.startsWith(start))
  const order = ['connects', 'says hello', 'welcome', 'a piece of load 0', 'checkpoint: in the place', 'asks for', 'pushes', 'the connection is over'].map(at)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(trace.entries().some(({ kind }) => kind === 'ping')).toBe(false)
  expect(trace.entries().find(({ text }) => text === 'is connected')?.ms).toBe(5)
  expect(trace.entries().filter(({ kind, characters }) => kind === 'load' && characters === 0)).toEqual([])
  expect(lines.join('\n')).toBe(trace.text())
  expect(trace.text()).not.toContain(canary)
  expect(trace.text()).not.toMatch(/project:p1|"p1"/)
  network.setOnline(true)
  await clock.advance(100)
  expect(trace.text()).toContain('says hello from its cursor, with 2 scopes and 1 on demand')
})

test('a trace is of the kinds that were asked for, and no longer than it may be', async () => {
  const { trace } = await traced({ kinds: ['ping', 'mutation'], entriesMax: 2 })
  expect(trace.entries()).toHaveLength(2)
  expect(trace.entries().every(({ kind }) => kind === 'ping' || kind === 'mutation')).toBe(true)
  const { trace: pings } = await traced({ kinds: ['ping'] })
  expect(pings.entries().map(({ text, ms }) => [text, ms])).toEqual([
    ['asks whether anybody is there', null],
    ['somebody is there', 10],
  ])
})

test('what is not understood and what the disk refuses is said, and the device goes on', async () => {
  const { trace, network, peer, client, clock, disks } = await traced()
  network.setOnline(true)
  await clock.advance(3_000)
  network.tamper = () => ['%$#']
  peer.put('projects', project('p4'))
  await clock.advance(100)
  network.tamper = (frame) => [frame]
  await clock.advance(10_000)
  expect(trace.text()).toContain('a message that cannot be understood')
  expect(trace.text()).toMatch(/disk {2,}writes 1 records for good/)
  expect(client.status.get()).toMatchObject({ online: true, pending: 0 })
  expect(disks).toBeDefined()
})

test('inspect answers what the device holds and why, as plain data without values', async () => {
  const { trace, client } = await traced()
  const inspected = trace.inspect(client)
  expect(JSON.parse(JSON.stringify(inspected))).toEqual(inspected)
  expect(inspected).toMatchObject({
    status: { online: false, pending: 1 },
    scopes: [
      { scope: 'user:ada', why: 'granted' },
      { scope: 'project:p1', why: 'granted' },
      { scope: 'project:p1', why: 'on demand' },
    ],
    rows: { projects: 3, messages: 1, members: 0 },
    pending: [{ name: 'projects.insert', state: 'saved' }],
    setAside: [],
    connections: { made: 1, opened: 1 },
  })
  expect(inspected.cursor).toMatch(/^h-/)
  for (const size of Object.values(inspected.characters).slice(0, 2)) expect(size).toBeGreaterThan(100)
  expect(JSON.stringify(inspected)).not.toContain(canary)
})
