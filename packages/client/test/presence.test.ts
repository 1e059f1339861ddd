import { decodeUp, encode, type Gathered, type Json, limits, type Presence, scopeKey } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import { chance as realChance } from '../src/browser.ts'
import { createClient } from '../src/client.ts'
import { createMemoryDisks } from '../src/disk/memory.ts'
import { createPresence } from '../src/presence/presence.ts'
import { createMemoryTabs } from '../src/tabs/memory.ts'
import { createTrace } from '../src/trace/trace.ts'
import { createFixture, mutators, schema } from './fixture.ts'

const board = scopeKey('board', '1')

async function started(presence = 'me') {
  const fixture = createFixture()
  fixture.peer.options.presence = presence
  const here = createPresence()
  const client = fixture.device('ada', '/', here.ports(fixture.ports()))
  await fixture.clock.advance(100)
  const tell = async (of: Partial<Gathered>) => {
    for (const { wire } of fixture.peer.sessions)
      wire.send(encode({ type: 'presence', scope: board, granted: true, whole: false, count: 1, here: [], gone: [], ...of }))
    await fixture.clock.advance(10)
  }
  /** What the device said of itself, message by message. */
  const said = () => saidIn(fixture.network.frames)
  const person = (id: string, value: Json = null) => ({ id, user: `user of ${id}`, value })
  return { ...fixture, here, client, tell, person, said }
}

const saidIn = (frames: readonly { readonly to: string; readonly frame: string }[]): readonly Presence['says'][] =>
  frames.flatMap(({ to, frame }) => {
    const message = to === 'server' ? decodeUp(frame) : null
    return message?.type === 'presence' ? [message.says] : []
  })

test('who is in a scope is heard without oneself, in the order in which they came, and changes nothing for the engine', async () => {
  const { here, tell, person, clock, client, said, errors } = await started()
  const handle = here.scope('board', '1')
  let runs = 0
  handle.subscribe(() => runs++)
  expect(handle.get()).toEqual({ state: 'connecting', others: [], count: 0 })
  await clock.advance(100)
  expect(said()).toEqual([[{ scope: board, as: 'watching', value: null }]])
  await tell({ whole: true, count: 3, here: [person('a', 1), person('me'), person('b', 2)] })
  expect(handle.get()).toEqual({ state: 'here', others: [person('a', 1), person('b', 2)], count: 3 })
  expect(handle.get()).toBe(here.gathering('board', '1'))
  await tell({ count: 3, here: [person('c', 3), person('a', 4)], gone: ['b'] })
  expect(handle.get().others).toEqual([person('a', 4), person('c', 3)])
  expect(runs).toBe(2)
  await tell({ scope: scopeKey('board', '2'), whole: true, here: [person('x')] })
  expect(here.gathering('board', '2')).toEqual({ state: 'connecting', others: [], count: 0 })
  await tell({ granted: false, whole: true, count: 0 })
  expect(handle.get()).toEqual({ state: 'denied', others: [], count: 0 })
  expect(client.status.get()).toMatchObject({ phase: 'live', problem: null })
  expect(errors).toEqual([])
})

test('what is said goes up twenty times a second at most, and the last value wins', async () => {
  const { here, clock, said } = await started()
  const handle = here.scope('board', '1')
  for (let n = 0; n < 1_000; n++) {
    handle.say({ n })
    await clock.advance(1)
  }
  await clock.advance(100)
  expect(said().length).toBeLessThanOrEqual(22)
  expect(said().length).toBeGreaterThan(18)
  expect(said().at(-1)).toEqual([{ scope: board, as: 'here', value: { n: 999 } }])
  handle.hide()
  await clock.advance(100)
  expect(said().at(-1)).toEqual([{ scope: board, as: 'watching', value: null }])
  const count = said().length
  handle.release()
  handle.release()
  await clock.advance(100)
  expect(said().slice(count)).toEqual([[{ scope: board, as: 'away', value: null }]])
  expect(() => handle.say(1)).toThrow(expect.objectContaining({ code: 'presence' }))
})

test('of several handles of a scope the last one that said something counts, until it lets go', async () => {
  const { here, clock, said, tell, person } = await started()
  const [list, cursor, typing] = [here.scope('board', '1'), here.scope('board', '1'), here.scope('board', '1')]
  cursor.say('cursor')
  typing.say('typing')
  await clock.advance(100)
  expect(said()).toEqual([[{ scope: board, as: 'here', value: 'typing' }]])
  typing.release()
  await clock.advance(100)
  expect(said().at(-1)).toEqual([{ scope: board, as: 'here', value: 'cursor' }])
  await tell({ whole: true, here: [person('a')] })
  // All go and one comes back in the same turn, as React does it: the scope was never left.
  for (const handle of [list, cursor]) handle.release()
  const again = here.scope('board', '1')
  await clock.advance(100)
  expect(again.get().others).toEqual([person('a')])
  expect(said().at(-1)).toEqual([{ scope: board, as: 'watching', value: null }])
})

test('a connection that is lost: who was here is shown for ten seconds, and all is said again to the next one', async () => {
  const { here, clock, network, said, tell, person } = await started()
  const handle = here.scope('board', '1')
  handle.say('a')
  await tell({ whole: true, here: [person('b')] })
  network.setOnline(false)
  await clock.advance(5_000)
  expect(handle.get()).toMatchObject({ state: 'connecting', others: [person('b')] })
  await clock.advance(6_000)
  expect(handle.get()).toEqual({ state: 'connecting', others: [], count: 0 })
  handle.say('while away')
  const gone = here.scope('board', 'left while away')
  gone.release()
  const before = said().length
  network.setOnline(true)
  await clock.advance(60_000)
  expect(said().slice(before)).toEqual([[{ scope: board, as: 'here', value: 'while away' }]])
})

test('a server without presence is told nothing of it, and the device works', async () => {
  const fixture = createFixture()
  const here = createPresence()
  const client = fixture.device('ada', '/', here.ports(fixture.ports()))
  const handle = here.scope('board', '1')
  handle.say('a')
  await fixture.clock.advance(20_000)
  expect(handle.get()).toEqual({ state: 'absent', others: [], count: 0 })
  expect(here.scope('board', '2').get().state).toBe('absent')
  expect(fixture.network.frames.filter(({ frame }) => frame.includes('presence'))).toEqual([])
  expect(client.status.get().phase).toBe('live')
  // It is replaced by one that has it.
  fixture.peer.options.presence = 'me'
  fixture.network.cut()
  await fixture.clock.advance(20_000)
  expect(saidIn(fixture.network.frames).flat()).toContainEqual({ scope: board, as: 'here', value: 'a' })
  client.close()
})

test('F5: a frame of presence that cannot be understood ends the connection, and the next one is level', async () => {
  const { here, clock, network, peer, tell, person, client } = await started()
  const handle = here.scope('board', '1')
  await clock.advance(100)
  await tell({ whole: true, here: [person('b')] })
  const opened = network.opened.count
  for (const { wire } of peer.sessions) wire.send('{"type":"presence","scope":7}')
  await clock.advance(5_000)
  expect(network.opened.count).toBe(opened + 1)
  expect(client.status.get().phase).toBe('live')
  expect(handle.get().state).toBe('connecting')
  await tell({ whole: true, here: [person('c')] })
  expect(handle.get()).toMatchObject({ state: 'here', others: [person('c')] })
})

test('what cannot be said is refused at once, and changes nothing', async () => {
  const { here, clock, said } = await started()
  const handle = here.scope('board', '1')
  handle.say('x'.repeat(limits.presenceLengthMax - 2))
  // What an app without types may pass.
  for (const value of ['x'.repeat(limits.presenceLengthMax - 1), 'a\0', Number.NaN, undefined as unknown as Json, new Date() as unknown as Json])
    expect(() => handle.say(value)).toThrow(expect.objectContaining({ code: 'presence' }))
  for (let n = 1; n < limits.presenceScopesMax; n++) here.scope('other', String(n))
  expect(() => here.scope('other', 'one too many')).toThrow(expect.objectContaining({ code: 'presence' }))
  await clock.advance(100)
  expect(
    said()
      .flat()
      .filter(({ as }) => as === 'here'),
  ).toHaveLength(1)
})

test('a trace tells of it where it is asked for, without what is said', async () => {
  const fixture = createFixture()
  fixture.peer.options.presence = 'me'
  const [here, trace] = [createPresence(), createTrace({ kinds: ['presence', 'connection'] })]
  fixture.device('ada', '/', here.ports(trace.ports(fixture.ports())))
  here.scope('board', '1').say('canary')
  await fixture.clock.advance(100)
  for (const { wire } of fixture.peer.sessions)
    wire.send(encode({ type: 'presence', scope: board, granted: true, whole: true, count: 1, here: [{ id: 'x', user: 'y', value: 'canary' }], gone: [] }))
  await fixture.clock.advance(100)
  expect(trace.text()).toContain('says who is here: scopes of board')
  expect(trace.text()).toContain('1 are in a scope of board: +1 -0')
  expect(trace.text()).not.toContain('cannot be understood')
  expect(trace.text()).not.toContain('canary')
})

describe('tabs of one device', () => {
  /** The first tab has the connection; each other has none, as long as it does not connect. */
  async function tabs() {
    const fixture = createFixture()
    fixture.peer.options.presence = 'me'
    const [memory, disks] = [createMemoryTabs(), createMemoryDisks({ isShared: true })]
    const open = async (connects: boolean) => {
      const [presence, tab] = [createPresence(), memory.open()]
      const ports = presence.ports({ ...fixture.ports(), chance: realChance, tabs: tab, openDisk: disks.open })
      if (connects) createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports })
      else await ports.openDisk(diskName('ada', 'http://server/'))
      await fixture.clock.advance(100)
      return { presence, tab, ports }
    }
    const told = async (of: Partial<Gathered>) => {
      for (const { wire } of fixture.peer.sessions)
        wire.send(encode({ type: 'presence', scope: board, granted: true, whole: true, count: 1, here: [], gone: [], ...of }))
      await fixture.clock.advance(100)
    }
    return { ...fixture, open, told, last: () => saidIn(fixture.network.frames).at(-1) }
  }
  const bob = { id: 'b', user: 'bob', value: 1 }

  test('a tab without a connection is heard by the one that has it, and sees who is there', async () => {
    const { clock, open, told, last } = await tabs()
    const [leader, follower] = [await open(true), await open(false)]
    const theirs = follower.presence.scope('board', '1')
    theirs.say('from the second tab')
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'from the second tab' }])
    await told({ here: [bob, { ...bob, id: 'me' }], count: 2 })
    expect(theirs.get()).toEqual({ state: 'here', others: [bob], count: 2 })
    // One more that uses the same scope finds it level.
    const third = await open(false)
    const more = third.presence.scope('board', '1')
    await clock.advance(200)
    expect(more.get()).toEqual(theirs.get())
    // What was said last counts, whichever tab it was; and what is left counts when that one lets go.
    leader.presence.scope('board', '1').say('from the first')
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'from the first' }])
    theirs.say('again')
    await clock.advance(200)
    theirs.release()
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'from the first' }])
  })

  test('what a tab uses ends with the tab, however it ends', async () => {
    const { clock, open, last } = await tabs()
    await open(true)
    const follower = await open(false)
    follower.presence.scope('board', '1').say('here')
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'here' }])
    follower.tab.kill()
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'away', value: null }])
  })

  test('where the connection goes to another tab, all is said again there; until then who was here is shown for ten seconds', async () => {
    const { clock, network, open, told, last } = await tabs()
    const [leader, follower] = [await open(true), await open(false)]
    const theirs = follower.presence.scope('board', '1')
    theirs.say('here')
    await clock.advance(200)
    await told({ here: [bob] })
    expect(theirs.get().others).toEqual([bob])
    network.setOnline(false)
    await clock.advance(200)
    expect(theirs.get()).toMatchObject({ state: 'connecting', others: [bob] })
    leader.tab.kill()
    // The second tab connects by itself now, in vain at first.
    createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: follower.ports })
    await clock.advance(15_000)
    expect(theirs.get()).toEqual({ state: 'connecting', others: [], count: 0 })
    network.setOnline(true)
    await clock.advance(60_000)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'here' }])
    await told({ here: [bob] })
    expect(theirs.get()).toMatchObject({ state: 'here', others: [bob] })
  })

  test('of two tabs that are one device either is heard as it, and hears who is there; the one that is left connects and says it again', async () => {
    const { clock, peer, open, told, last } = await tabs()
    const [one, two] = [await open(true), await open(true)]
    await clock.advance(1_000)
    expect(peer.sessions.size).toBe(1)
    const theirs = two.presence.scope('board', '1')
    theirs.say('from the second tab')
    await clock.advance(200)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'from the second tab' }])
    await told({ here: [bob, { ...bob, id: 'me' }], count: 2 })
    expect(theirs.get()).toEqual({ state: 'here', others: [bob], count: 2 })
    one.tab.kill()
    await clock.advance(10_000)
    expect(last()).toEqual([{ scope: board, as: 'here', value: 'from the second tab' }])
    await told({ here: [{ ...bob, value: 2 }], count: 2 })
    expect(theirs.get()).toEqual({ state: 'here', others: [{ ...bob, value: 2 }], count: 2 })
  })
})
