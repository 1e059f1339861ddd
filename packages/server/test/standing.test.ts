// Whether the person behind a connection still is who they were, on a clock that is moved by hand.
import { createTestClock } from '@headwater/client/node'
import { userId } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import type { Authenticated } from '../src/api.ts'
import { limits } from '../src/limits.ts'
import { callerOf } from '../src/session/caller.ts'
import { createSlots } from '../src/session/slots.ts'
import { createStanding } from '../src/session/standing.ts'
import { createTold } from '../src/session/told.ts'

const ada = userId('ada')
const never = new Promise<never>(() => {})

/** A connection of whom the app says that it is, and how often it was asked. */
async function connect(first: Authenticated = 'ada') {
  const clock = createTestClock()
  const told = createTold()
  const state = { answer: (): Authenticated | Promise<Authenticated> => first, asked: 0, endedAt: null as number | null, troubles: [] as unknown[] }
  const begin = clock.now()
  const authenticate = () => {
    state.asked++
    return state.answer()
  }
  const caller = await callerOf({ authenticate, clock, told }, { url: '/', headers: new Headers() })
  state.asked = 0
  const deps = {
    clock,
    told,
    askSlots: createSlots(1),
    chance: { bytes: () => new Uint8Array([255]) },
    onTrouble: (error: unknown) => state.troubles.push(error),
  }
  const stand = () =>
    createStanding(deps, ada, caller, () => {
      state.endedAt = clock.now() - begin
    })
  const at = (ms: number) => new Date(begin + ms)
  return { clock, told, state, caller, stand, at, tell: () => told.add(new Set([ada])) }
}

describe('S8: a session with the app', () => {
  test('that has an end is asked for at that moment, and what it was begun with ends there', async () => {
    const { clock, state, stand, at } = await connect({ user: 'ada', expiresAt: new Date(Date.UTC(2026, 0, 1) + 10_000) })
    state.answer = () => ({ user: 'ada', expiresAt: at(10_000) })
    stand()
    await clock.advance(9_999)
    expect([state.asked, state.endedAt]).toEqual([0, null])
    await clock.advance(1)
    expect([state.asked, state.endedAt]).toEqual([1, 10_000])
  })

  test('that was made longer meanwhile goes on to its new end', async () => {
    const { clock, state, stand, at } = await connect({ user: 'ada', expiresAt: new Date(Date.UTC(2026, 0, 1) + 10_000) })
    state.answer = () => ({ user: 'ada', expiresAt: at(20_000) })
    stand()
    await clock.advance(19_999)
    expect(state.endedAt).toBe(null)
    state.answer = () => null
    await clock.advance(1)
    expect(state.endedAt).toBe(20_000)
  })

  test.each([
    ['does not answer', () => never],
    ['throws', () => Promise.reject(new Error('The store of sessions is away.'))],
  ])('ends within a second of its time though the app %s', async (_, answer) => {
    const { clock, state, stand } = await connect({ user: 'ada', expiresAt: new Date(Date.UTC(2026, 0, 1) + 10_000) })
    state.answer = answer
    stand()
    await clock.advance(11_000)
    expect(state.endedAt).toBeLessThanOrEqual(10_000 + limits.authenticateMsMax)
    expect(state.troubles).toHaveLength(1)
  })

  test('that the app has ended is asked for at once, also while an earlier question waits for its answer', async () => {
    const { clock, state, stand, tell } = await connect()
    const standing = stand()
    state.answer = () => never
    await clock.advance(limits.authenticateAgainMs)
    expect([state.asked, state.endedAt]).toEqual([1, null])
    await clock.advance(limits.authenticateMsMax - 1)
    state.answer = () => null
    tell()
    standing.ask()
    await clock.advance(1)
    expect([state.asked, state.endedAt]).toEqual([2, limits.authenticateAgainMs + limits.authenticateMsMax])
  })

  test('that is another one than those that were ended goes on', async () => {
    const { clock, state, stand, tell } = await connect()
    const standing = stand()
    tell()
    standing.ask()
    await clock.advance(0)
    expect([state.asked, state.endedAt]).toEqual([1, null])
  })

  test('of which the app had looked before it was ended, and answers after, does not begin', async () => {
    const { clock, state, stand, tell } = await connect()
    tell()
    state.answer = () => null
    stand()
    await clock.advance(0)
    expect([state.asked, state.endedAt]).toEqual([1, 0])
  })

  test('is asked for every minute though nobody says anything, and is over with what is not answered three times', async () => {
    const { clock, state, stand } = await connect()
    stand()
    await clock.advance(10 * limits.authenticateAgainMs)
    expect([state.asked, state.endedAt]).toEqual([10, null])
    state.answer = () => Promise.reject(new Error('The store of sessions is away.'))
    await clock.advance(2 * limits.authenticateAgainMs)
    expect(state.endedAt).toBe(null)
    state.answer = () => 'ada'
    await clock.advance(limits.authenticateAgainMs)
    state.answer = () => Promise.reject(new Error('The store of sessions is away.'))
    await clock.advance(2 * limits.authenticateAgainMs)
    expect(state.endedAt).toBe(null)
    await clock.advance(limits.authenticateAgainMs)
    expect(state.endedAt).toBe(16 * limits.authenticateAgainMs)
    await clock.advance(10 * limits.authenticateAgainMs)
    expect(state.asked).toBe(16)
  })

  test('that turns out to be another person’s is not this one’s any more', async () => {
    const { clock, state, stand } = await connect()
    stand()
    state.answer = () => 'bob'
    await clock.advance(limits.authenticateAgainMs)
    expect(state.endedAt).toBe(limits.authenticateAgainMs)
  })

  test('whose connection has closed is asked for no more', async () => {
    const { clock, state, stand } = await connect()
    const standing = stand()
    standing.stop()
    await clock.advance(10 * limits.authenticateAgainMs)
    expect([state.asked, state.endedAt]).toEqual([0, null])
  })
})

describe('what the app answers', () => {
  test('has a person, and an end that is a Date; a session whose end has come is nobody’s', async () => {
    const { at } = await connect()
    const clock = createTestClock()
    const of = (answer: unknown) =>
      // What an app without types may answer.
      callerOf({ authenticate: () => answer as Authenticated, clock, told: createTold() }, { url: '/', headers: new Headers() })
    expect(await of('ada')).toMatchObject({ user: 'ada', expiresAt: null })
    expect(await of(null)).toMatchObject({ user: null })
    expect(await of({ user: 'ada', expiresAt: at(1) })).toMatchObject({ user: 'ada', expiresAt: at(1).getTime() })
    expect(await of({ user: 'ada', expiresAt: at(0) })).toMatchObject({ user: null })
    for (const wrong of [
      undefined,
      {},
      7,
      { user: 'ada' },
      { user: 7, expiresAt: at(1) },
      { user: 'ada', expiresAt: 1_767_225_600 },
      { user: 'ada', expiresAt: new Date('x') },
    ])
      await expect(of(wrong)).rejects.toMatchObject({ code: 'invalid', hint: expect.stringContaining('expiresAt') })
  })
})

describe('people of whom it was said', () => {
  test('are told from others, and from what is said later', () => {
    const told = createTold()
    const before = told.count()
    told.add(new Set([ada]))
    expect([told.since(ada, before), told.since(ada, told.count()), told.since(userId('bob'), before)]).toEqual([true, false, false])
    told.add(null)
    expect([told.since(userId('bob'), before), told.since(userId('bob'), told.count())]).toEqual([true, false])
  })

  test('are forgotten by name beyond a bound: then it may have been anybody', () => {
    const told = createTold()
    const before = told.count()
    told.add(new Set(Array.from({ length: limits.toldPeopleMax + 1 }, (_, i) => userId(`person ${i}`))))
    expect(told.since(userId('person 0'), before)).toBe(true)
    expect(told.since(userId('nobody'), before)).toBe(true)
    expect(told.since(userId('nobody'), before + 1)).toBe(false)
    expect(told.since(userId(`person ${limits.toldPeopleMax}`), before + 1)).toBe(true)
  })
})
