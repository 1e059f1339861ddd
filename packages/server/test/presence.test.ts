// Who is here, on a clock that is moved by hand: one server, and several that hear each other by a line in memory.
import { createTestClock, type TestClock } from '@headwater/client/node'
import { decodeAside, type Gathered, type Json, type ScopeKey, scopeKey, limits as wire } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import type { Listener } from '../src/feed/feed.ts'
import { limits } from '../src/limits.ts'
import { createExchange, type Exchange, noExchange } from '../src/presence/exchange.ts'
import { createPresence, type Presence } from '../src/presence/presence.ts'

const board = scopeKey('board', '1')
const other = scopeKey('board', '2')

/** Many are sent the same buffer: it is read once. */
const decoded = new WeakMap<object, Gathered>()
function read(frame: string | Buffer): Gathered {
  const known = typeof frame === 'string' ? undefined : decoded.get(frame)
  if (known) return known
  const message = decodeAside(frame.toString())
  if (message.type !== 'presence') throw new Error('It is not of presence.')
  if (typeof frame !== 'string') decoded.set(frame, message)
  return message
}

/** A connection, and what it was told, as a device makes of it. */
function visitor(presence: Presence, id: string, scopes: readonly ScopeKey[] = [board], user = id) {
  const granted = new Set(scopes)
  const heard: Gathered[] = []
  const here = new Map<string, Json>()
  const state = { isFull: false, bytes: 0 }
  const visit = presence.visit({
    id,
    user,
    mayEnter: (scope) => granted.has(scope),
    isFull: () => state.isFull,
    transmit: (frame) => {
      state.bytes += frame.length
      const message = read(frame)
      heard.push(message)
      if (message.scope !== board) return
      if (message.whole) here.clear()
      for (const gone of message.gone) here.delete(gone)
      for (const person of message.here) here.set(person.id, person.value)
    },
  })
  return {
    visit,
    granted,
    heard,
    state,
    say: (value: Json, scope = board) => visit.say([{ scope, as: 'here', value }]),
    watch: (scope = board) => visit.say([{ scope, as: 'watching', value: null }]),
    away: (scope = board) => visit.say([{ scope, as: 'away', value: null }]),
    here: () => Object.fromEntries(here),
    count: () => heard.at(-1)?.count,
  }
}

describe('one server', () => {
  const start = () => {
    const clock = createTestClock()
    const pending = { count: 0 }
    const timer: TestClock['timer'] = (afterMs, run) => {
      pending.count++
      const cancel = clock.timer(afterMs, () => {
        pending.count--
        run()
      })
      return () => {
        pending.count--
        cancel()
      }
    }
    return { clock, pending, presence: createPresence({ now: clock.now, timer }, noExchange) }
  }

  test('who is in a scope hears who is there, what they say, and that they go', async () => {
    const { clock, presence, pending } = start()
    const [ada, bob, cleo] = [visitor(presence, 'ada'), visitor(presence, 'bob'), visitor(presence, 'cleo')]
    ada.say({ at: 1 })
    cleo.watch()
    await clock.advance(100)
    bob.say('hello')
    await clock.advance(100)
    expect(ada.here()).toEqual({ ada: { at: 1 }, bob: 'hello' })
    expect(cleo.here()).toEqual(ada.here())
    expect(cleo.count()).toBe(2)
    bob.say(null)
    await clock.advance(100)
    expect(cleo.here()).toEqual({ ada: { at: 1 }, bob: null })
    bob.away()
    ada.visit.leave()
    await clock.advance(100)
    expect([cleo.here(), cleo.count()]).toEqual([{}, 0])
    expect(ada.here()).toEqual({ ada: { at: 1 }, bob: null })
    expect(pending.count).toBe(0)
  })

  test('the person is whom the server knows, whatever a value says', async () => {
    const { clock, presence } = start()
    const [ada, eve] = [visitor(presence, 'd1', [board], 'ada'), visitor(presence, 'd2', [board], 'eve')]
    ada.watch()
    eve.say({ id: 'd1', user: 'ada' })
    await clock.advance(100)
    expect(ada.heard.flatMap(({ here }) => here)).toEqual([{ id: 'd2', user: 'eve', value: { id: 'd1', user: 'ada' } }])
  })

  test('S1: in a scope that is not granted nobody is heard, and nobody hears; the answer is the same whether it exists or not', async () => {
    const { clock, presence } = start()
    const [ada, eve] = [visitor(presence, 'ada'), visitor(presence, 'eve', [])]
    ada.say('secret')
    eve.say('spam')
    eve.say('spam', other)
    await clock.advance(1_000)
    ada.say('secret again')
    await clock.advance(1_000)
    expect(ada.here()).toEqual({ ada: 'secret again' })
    expect(eve.heard).toEqual([board, other].map((scope) => ({ type: 'presence', scope, granted: false, whole: true, count: 0, here: [], gone: [] })))
  })

  test('S2: whoever loses the grant hears nothing more and is heard no more; with the grant again, both by itself', async () => {
    const { clock, presence } = start()
    const [ada, eve] = [visitor(presence, 'ada'), visitor(presence, 'eve')]
    ada.say(1)
    eve.say('eve')
    await clock.advance(100)
    // What is not told yet is of somebody who has gone by then.
    eve.say('last words')
    ada.say(2)
    eve.granted.delete(board)
    eve.visit.regranted()
    ada.say(3)
    await clock.advance(1_000)
    expect(ada.here()).toEqual({ ada: 3 })
    expect(JSON.stringify(ada.heard)).not.toContain('last words')
    expect(eve.heard.at(-1)).toMatchObject({ granted: false, here: [] })
    expect(eve.here()).toEqual({})
    eve.say('from outside')
    await clock.advance(1_000)
    expect(ada.here()).toEqual({ ada: 3 })
    eve.granted.add(board)
    eve.visit.regranted()
    await clock.advance(100)
    expect([ada.here(), eve.here()]).toEqual([
      { ada: 3, eve: 'from outside' },
      { ada: 3, eve: 'from outside' },
    ])
  })

  test('of what is said in a moment the last is heard: one message for each who listens, however often it is said', async () => {
    const { clock, presence } = start()
    const [ada, bob] = [visitor(presence, 'ada'), visitor(presence, 'bob')]
    bob.watch()
    await clock.advance(100)
    const before = bob.heard.length
    for (let turn = 0; turn < 20; turn++) {
      for (let n = 0; n < 20; n++) ada.say(turn * 20 + n)
      await clock.advance(wire.presenceEveryMs)
    }
    await clock.advance(1_000)
    expect(bob.heard.length - before).toBeLessThanOrEqual(21)
    expect(bob.here()).toEqual({ ada: 399 })
  })

  test('F6: who says too much is refused, and so is who is in too many scopes', () => {
    const { presence } = start()
    const [ada, bob] = [visitor(presence, 'ada'), visitor(presence, 'bob')]
    expect(() => {
      for (let n = 0; n <= limits.presenceRate.burst; n++) ada.say(n)
    }).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => {
      for (let n = 0; n <= wire.presenceScopesMax; n++) bob.say(n, scopeKey('board', String(n)))
    }).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('F6: a device that does not read gets nothing more, and all of it once when it reads again', async () => {
    const { clock, presence, pending } = start()
    const [ada, slow] = [visitor(presence, 'ada'), visitor(presence, 'slow')]
    slow.watch()
    await clock.advance(100)
    slow.state.isFull = true
    const before = slow.heard.length
    for (let n = 0; n < 50; n++) {
      ada.say(n)
      await clock.advance(wire.presenceEveryMs)
    }
    expect(slow.heard.length).toBe(before)
    slow.state.isFull = false
    await clock.advance(wire.presenceEveryMs)
    expect(slow.heard.length).toBe(before + 1)
    expect(slow.here()).toEqual({ ada: 49 })
    await clock.advance(1_000)
    expect(pending.count).toBe(0)
  })

  test('a thousand people in a scope who all move: a hundred are named, all are counted, and what is told in a second is bounded', async () => {
    const { clock, presence } = start()
    const people = Array.from({ length: 1_000 }, (_, n) => visitor(presence, `d${n}`))
    for (const [n, one] of people.entries()) one.say({ n, padding: 'x'.repeat(900) })
    await clock.advance(100)
    const bytesOf = () => people.reduce((sum, { state }) => sum + state.bytes, 0)
    const [before, sentBefore] = [bytesOf(), people[999]?.heard.length ?? 0]
    const seconds = 60
    for (let second = 0; second < seconds; second++) {
      for (const one of people) one.say({ second, padding: 'y'.repeat(900) })
      await clock.advance(1_000)
    }
    // One telling may be under way beyond what the seconds allow.
    const largest = 1_000 * wire.presenceToldMax * 1_100
    expect(bytesOf() - before).toBeLessThanOrEqual(limits.presenceBytesPerMs * seconds * 1_000 + largest)
    expect((people[999]?.heard.length ?? 0) - sentBefore).toBeGreaterThan(2)
    expect(people[999]?.count()).toBe(1_000)
    expect(Object.keys(people[999]?.here() ?? {})).toHaveLength(wire.presenceToldMax)
    // Who goes is gone at once all the same, and the next one is named.
    people[0]?.visit.leave()
    await clock.advance(wire.presenceEveryMs * 2)
    expect(people[999]?.here().d0).toBeUndefined()
    expect(people[999]?.count()).toBe(999)
    await clock.advance(60_000)
    expect(people[999]?.here().d100).toEqual({ second: 59, padding: 'y'.repeat(900) })
    expect(Object.keys(people[999]?.here() ?? {})).toHaveLength(wire.presenceToldMax)
  }, 60_000)
})

/** What NOTIFY is to several servers: everybody hears it, in the order in which it was said. */
function createLine(clock: TestClock) {
  const listeners = new Set<Listener>()
  const said: string[] = []
  let isDown = false
  const troubles: unknown[] = []
  const server = (name: string) => {
    let mine: Listener | null = null
    let isAlive = true
    const exchange: Exchange = createExchange({
      clock,
      name,
      listen: (listener) => {
        mine = { onSession: listener.onSession, onNotice: (payload) => isAlive && listener.onNotice(payload) }
        listeners.add(mine)
        listener.onSession(true)
      },
      notify: async (payloads) => {
        if (!isAlive) return
        if (isDown) throw new Error('the database is away')
        for (const payload of payloads) {
          if (Buffer.byteLength(payload) >= 8_000) throw new Error('payload string too long')
          said.push(payload)
          for (const listener of [...listeners]) listener.onNotice(payload)
        }
      },
      onTrouble: (error) => troubles.push(error),
    })
    return {
      presence: createPresence(clock, exchange),
      exchange,
      /** As by kill -9. */
      die: () => {
        isAlive = false
      },
      /** Its session is lost, and another begins. */
      reopen: () => mine?.onSession(true),
      deafen: () => mine && listeners.delete(mine),
      undeafen: () => {
        if (!mine) return
        listeners.add(mine)
        mine.onSession(true)
      },
    }
  }
  const forge = (payload: string) => {
    for (const listener of listeners) listener.onNotice(payload)
  }
  return { server, said, troubles, setDown: (next: boolean) => (isDown = next), forge }
}

describe('several servers', () => {
  const start = () => {
    const clock = createTestClock()
    const line = createLine(clock)
    return { clock, line, one: line.server('one'), two: line.server('two') }
  }

  test('people on different servers see each other come, speak and go', async () => {
    const { clock, one, two } = start()
    const [ada, bob] = [visitor(one.presence, 'ada'), visitor(two.presence, 'bob')]
    ada.say('a')
    await clock.advance(200)
    bob.say('b')
    await clock.advance(300)
    expect([ada.here(), bob.here()]).toEqual([
      { ada: 'a', bob: 'b' },
      { ada: 'a', bob: 'b' },
    ])
    ada.say('a2')
    await clock.advance(200)
    expect([bob.here(), bob.count()]).toEqual([{ ada: 'a2', bob: 'b' }, 2])
    ada.visit.leave()
    await clock.advance(200)
    expect([bob.here(), bob.count()]).toEqual([{ bob: 'b' }, 1])
  })

  test('S1: a server tells others of a scope only where somebody looks at it there, and one by itself tells nobody anything', async () => {
    const { clock, line, one, two } = start()
    const [ada, bob] = [visitor(one.presence, 'ada'), visitor(two.presence, 'bob', [other])]
    bob.say('b', other)
    for (let n = 0; n < 100; n++) {
      ada.say(`canary ${n}`)
      await clock.advance(wire.presenceEveryMs)
    }
    expect(line.said.join()).not.toContain('canary')
    expect(line.said.length).toBeLessThan(10)
  })

  test('a server that dies has its people expire, one that stops takes them along, and one that comes back brings them', async () => {
    const { clock, line, one, two } = start()
    const three = line.server('three')
    const [ada, bob, cleo] = [visitor(one.presence, 'ada'), visitor(two.presence, 'bob'), visitor(three.presence, 'cleo')]
    for (const person of [ada, bob, cleo]) person.say(1)
    await clock.advance(500)
    expect(Object.keys(cleo.here()).toSorted()).toEqual(['ada', 'bob', 'cleo'])
    one.die()
    await clock.advance(limits.peerGoneMs + limits.peerBeatMs * 2)
    expect(Object.keys(cleo.here()).toSorted()).toEqual(['bob', 'cleo'])
    await two.exchange.stop()
    await clock.advance(200)
    expect([cleo.here(), cleo.count()]).toEqual([{ cleo: 1 }, 1])
    const again = visitor(line.server('one again').presence, 'ada')
    again.say(2)
    await clock.advance(500)
    expect(cleo.here()).toEqual({ cleo: 1, ada: 2 })
  })

  test('what a server did not hear or could not say is made good, whoever it was', async () => {
    const { clock, line, one, two } = start()
    const [ada, bob] = [visitor(one.presence, 'ada'), visitor(two.presence, 'bob')]
    ada.say(1)
    bob.say(1)
    await clock.advance(500)
    two.deafen()
    ada.say(2)
    await clock.advance(500)
    expect(bob.here()).toEqual({ ada: 1, bob: 1 })
    two.undeafen()
    await clock.advance(500)
    expect(bob.here()).toEqual({ ada: 2, bob: 1 })
    line.setDown(true)
    ada.say(3)
    await clock.advance(500)
    line.setDown(false)
    await clock.advance(2_000)
    expect([ada.here(), bob.here()]).toEqual([
      { ada: 3, bob: 1 },
      { bob: 1, ada: 3 },
    ])
    expect(line.troubles.length).toBeGreaterThan(0)
  })

  test('F5: whatever is notified by somebody else, nothing breaks and nobody is shown in a scope that nobody looks at', async () => {
    const { clock, line, one, two } = start()
    const [ada, bob] = [visitor(one.presence, 'ada'), visitor(two.presence, 'bob')]
    ada.say(1)
    bob.say(1)
    await clock.advance(500)
    for (const payload of ['', 'null', '{', '{"from":1}', '{"from":"x","as":"more","tells":[{"scope":"board:1","count":-1}]}', '[]'.repeat(100)])
      line.forge(payload)
    for (let n = 0; n < 1_000; n++) line.forge(`{"from":"s${n}","as":"all","wants":["board:9"]}`)
    await clock.advance(limits.peerGoneMs + limits.peerBeatMs * 2)
    expect(ada.here()).toEqual({ ada: 1, bob: 1 })
  })

  test('everything fits into payloads, at the largest that a device may say', async () => {
    const { clock, line, one, two } = start()
    const scope = scopeKey('board', '\u{1f600}'.repeat(90))
    const big = 'ü'.repeat(wire.presenceLengthMax - 2)
    const people = Array.from({ length: 120 }, (_, n) => visitor(one.presence, `d${n}`, [scope], '\u0001'.repeat(200)))
    const bob = visitor(two.presence, 'bob', [scope])
    bob.watch(scope)
    for (const person of people) person.say(big, scope)
    await clock.advance(10_000)
    expect(line.troubles).toEqual([])
    const last = bob.heard.at(-1)
    expect(last?.count).toBe(120)
    expect(new Set(bob.heard.flatMap(({ here }) => here.map(({ id }) => id))).size).toBe(wire.presenceToldMax)
  })
})
