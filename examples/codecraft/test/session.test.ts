import { createPresence } from '@headwater/client'
import { describe, expect, test } from 'vitest'
import { people } from '../src/people.ts'
import { createRemembered } from '../src/web/session/remembered.ts'
import { type Answer, createRequests, type Requests } from '../src/web/session/requests.ts'
import { type CodecraftClient, createSession } from '../src/web/session/session.ts'

const [ada, grace] = people
if (!ada || !grace) throw new Error('The demo has two people at least.')

/** The browser's storage, as far as it is used. */
function createStorage(): Storage {
  const values = new Map<string, string>()
  // The rest of Storage is not touched by what is tested.
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  } as unknown as Storage
}

function setUp(storage: Storage | null = createStorage()) {
  const server = { isUp: true, person: null as string | null }
  const happened: string[] = []
  const answer = async <T>(value: () => T): Promise<Answer<T>> => (server.isUp ? { type: 'answer', value: value() } : { type: 'unreachable' })
  const signedIn = () => people.find((person) => person.id === server.person) ?? null
  const requests: Requests = {
    session: () => answer(signedIn),
    people: () => answer(() => people),
    signIn: (id) =>
      answer(() => {
        server.person = id
        return signedIn()
      }),
    signOut: () =>
      answer(() => {
        server.person = null
        return null
      }),
  }
  const open = (user: string) => {
    happened.push(`open ${user}`)
    // A session opens, closes and wipes clients, and asks nothing else of them.
    const client = {
      close: async () => void happened.push(`close ${user}`),
      wipe: async () => void happened.push(`wipe ${user}`),
    } as unknown as CodecraftClient
    return { client, presence: createPresence() }
  }
  const remembered = createRemembered(storage)
  const start = () => createSession({ requests, remembered, open })
  return { server, happened, remembered, start }
}

describe('the session of a device', () => {
  test('opens the remembered person before the server has answered', async () => {
    const { server, remembered, start } = setUp()
    remembered.setPerson(ada)
    server.person = 'ada'
    const session = start()
    const started = session.start()
    expect(session.get()).toMatchObject({ type: 'signedIn', person: { id: 'ada' } })
    await started
    expect(session.get()).toMatchObject({ type: 'signedIn', person: { id: 'ada' } })
  })

  test('stays open when the server cannot be reached', async () => {
    const { server, remembered, happened, start } = setUp()
    remembered.setPerson(ada)
    server.isUp = false
    const session = start()
    await session.start()
    expect(session.get().type).toBe('signedIn')
    expect(happened).toEqual(['open ada'])
  })

  test('closes, and wipes nothing, when the server no longer knows it', async () => {
    const { remembered, happened, start } = setUp()
    remembered.setPerson(ada)
    const session = start()
    await session.start()
    expect(session.get()).toEqual({ type: 'signedOut', reason: 'ended' })
    expect(happened).toEqual(['open ada', 'close ada'])
  })

  test('shows the person that the server names, and nobody else', async () => {
    const { server, remembered, happened, start } = setUp()
    remembered.setPerson(ada)
    server.person = 'grace'
    const session = start()
    await session.start()
    expect(session.get()).toMatchObject({ type: 'signedIn', person: { id: 'grace' } })
    expect(happened).toEqual(['open ada', 'close ada', 'open grace'])
  })

  test('signs out with everything of the person', async () => {
    const { server, happened, remembered, start } = setUp()
    const session = start()
    await session.start()
    await session.signIn('ada')
    await session.signOut()
    expect(session.get().type).toBe('signedOut')
    expect(happened).toEqual(['open ada', 'wipe ada'])
    expect([remembered.person(), server.person]).toEqual([null, null])
  })

  test('signs out offline, and tells the server when it is back', async () => {
    const { server, remembered, start } = setUp()
    remembered.setPerson(ada)
    server.person = 'ada'
    const session = start()
    await session.start()
    server.isUp = false
    await session.signOut()
    expect(server.person).toBe('ada')

    const offline = start()
    await offline.start()
    expect(offline.get()).toEqual({ type: 'signedOut', reason: 'unreachable' })

    server.isUp = true
    const online = start()
    await online.start()
    expect(online.get()).toEqual({ type: 'signedOut', reason: null })
    expect(server.person).toBeNull()
  })

  test('an answer that comes after a sign-out does not sign in again', async () => {
    const { server, remembered, start } = setUp()
    remembered.setPerson(ada)
    server.person = 'ada'
    const session = start()
    const started = session.start()
    await Promise.all([session.signOut(), started])
    expect(session.get().type).toBe('signedOut')
  })

  test('follows a tab that signs in as somebody else, and one that signs out', async () => {
    const { server, remembered, start } = setUp()
    remembered.setPerson(ada)
    server.person = 'ada'
    const session = start()
    await session.start()
    remembered.setPerson(grace)
    await session.follow()
    expect(session.get()).toMatchObject({ person: { id: 'grace' } })
    remembered.setPerson(null)
    await session.follow()
    expect(session.get().type).toBe('signedOut')
  })

  test('works where storage is blocked', async () => {
    const { server, start } = setUp(null)
    const session = start()
    await session.start()
    await session.signIn('ada')
    expect(session.get().type).toBe('signedIn')
    await session.signOut()
    expect(server.person).toBeNull()
  })
})

describe('requests', () => {
  test.each([
    ['a portal’s page in place of an answer', async () => new Response('<html>', { status: 200 })],
    ['an answer of another form', async () => Response.json({ person: 7 })],
    ['a failing server', async () => new Response('', { status: 502 })],
    ['no network', async () => Promise.reject(new TypeError('Failed to fetch'))],
  ])('%s says nothing about the session', async (_, request) => {
    expect(await createRequests(request).session()).toEqual({ type: 'unreachable' })
  })
})
