// Who else is in a scope, and what this device says of itself there. It stands between the engine and its socket, so that a device without it
// has nothing of it: the engine hears and says none of these frames.
// Invariant: nothing is said to a server whose welcome does not name it.
import { decodeAside, type Gathered, HeadwaterError, type Json, limits, type ScopeKey, scopeKey, unstorable } from '@headwater/protocol'
import type { LiveValue } from '../api.ts'
import { browserPorts } from '../browser.ts'
import type { OpenSocket, Ports, Tabs } from '../ports.ts'
import { createSubscribers } from '../store/subscribers.ts'
import { createRelay, type Relay, type Use } from './relay.ts'

/** Another connection to the server, and whose it is, as the server knows. A person may be here several times. */
export interface Person {
  /** Of the device; the same when it connects again. */
  readonly id: string
  readonly user: string
  /** What it says of itself. Anybody who holds the scope says what they like: it is to be looked at before it is used. */
  readonly value: Json
}

/** Who is in a scope. The same object while nothing changed. */
export interface Gathering {
  /**
   * `connecting`: nothing is known by now; `others` are those of before, for ten seconds. `here`: it is level. `denied`: the scope is not granted to this person. `absent`: the server has
   * no presence.
   */
  readonly state: 'connecting' | 'here' | 'denied' | 'absent'
  /** Without this device, in the order in which they came: the first hundred. */
  readonly others: readonly Person[]
  /** How many devices are here, this one included where it has said something. */
  readonly count: number
}

/** A use of a scope's presence, until it is released. */
export interface PresenceHandle extends LiveValue<Gathering> {
  /**
   * What others hear of this device, from now on: JSON of at most 1,024 characters. It goes up at most 20 times a second, and of several the last one
   * counts. With several handles of a scope, what was said last by any of them that is not released. Throws `presence` for what is too long or no JSON.
   */
  say(value: Json): void
  /** What this handle said is heard no more. Others are. */
  hide(): void
  release(): void
}

export interface Presence {
  /** The ports to give to `createClient`: a browser's, or those that are given. One presence is for one client. */
  ports(ports?: Partial<Ports>): Ports
  /** Throws `presence` beyond 20 scopes at a time. */
  scope(kind: string, key: string): PresenceHandle
  /** What is known of a scope, without using it. */
  gathering(kind: string, key: string): Gathering
}

interface Known {
  readonly people: Map<string, Person>
  shown: Gathering
  /** By handle, what it says; undefined: nothing. The last one that says something counts. */
  readonly handles: Map<object, Json | undefined>
  readonly subscribers: ReturnType<typeof createSubscribers>
}

const nobody: Gathering = { state: 'connecting', others: [], count: 0 }
/** Who was here is shown for so long without a connection. */
const graceMs = 10_000

/**
 * Who is here: passed in with the ports. Nothing of it is stored, here or anywhere.
 *
 *     const presence = createPresence()
 *     const client = createClient({ schema, mutators, url: '/', user, ports: presence.ports() })
 *     const project = presence.scope('project', id)
 *     project.say({ typing: true })
 */
export function createPresence(): Presence {
  const knownByScope = new Map<ScopeKey, Known>()
  // What the server has to be told.
  const unsaid = new Set<ScopeKey>()
  let self = ''
  let send: ((frame: string) => void) | null = null
  let isAbsent = false
  let cancelSaying: (() => void) | null = null
  let cancelGrace = () => {}
  let timer: Ports['clock']['timer'] = () => () => {}
  // Where the device has several tabs; and what those use that have no connection of their own.
  let relay: Relay | null = null
  const usesByTab = new Map<string, { readonly handle: object; readonly scopes: readonly ScopeKey[] }>()

  function changed(scope: ScopeKey): void {
    // Without a connection all is told to the next one, and to the tab that has one.
    if (send === null) used(scope)
    if (send === null && relay === null) return
    unsaid.add(scope)
    // What is said in one turn goes up together.
    cancelSaying ??= timer(0, tell)
  }

  /** Who lets go of a scope and asks for it again in the same turn has never left it. */
  function used(scope: ScopeKey): Known | undefined {
    const known = knownByScope.get(scope)
    if (known?.handles.size !== 0) return known
    knownByScope.delete(scope)
    return undefined
  }

  function tell(): void {
    cancelSaying = unsaid.size > 0 ? timer(limits.presenceEveryMs, tell) : null
    if (unsaid.size === 0) return
    const says = [...unsaid].map(saidOf)
    unsaid.clear()
    if (send === null) return relay?.use(ownUses())
    for (const frame of framesOf(says)) send(frame)
  }

  const ownUses = (): readonly Use[] => [...knownByScope].map(([scope, known]) => ({ scope, value: lastOf(known) }))

  function saidOf(scope: ScopeKey) {
    const known = used(scope)
    const said = lastOf(known)
    return { scope, as: known === undefined ? 'away' : said === undefined ? 'watching' : 'here', value: said }
  }

  function show(known: Known, state: Gathering['state'], count: number): void {
    tellOf(known, { state, others: [...known.people.values()].filter(({ id }) => id !== self), count })
  }

  function tellOf(known: Known, shown: Gathering): void {
    known.shown = shown
    known.subscribers.run()
    for (const [scope, one] of knownByScope) if (one === known && isUsedElsewhere(scope)) relay?.show(scope, shown)
  }

  const isUsedElsewhere = (scope: ScopeKey) => [...usesByTab.values()].some(({ scopes }) => scopes.includes(scope))

  /** Of a tab without a connection: as if it were a use of this one. */
  function follow(tab: string, uses: readonly Use[]): void {
    const { handle, scopes } = usesByTab.get(tab) ?? { handle: {}, scopes: [] }
    for (const scope of scopes) knownByScope.get(scope)?.handles.delete(handle)
    // No more than one device may use, over all of its tabs.
    const taken = send === null ? [] : uses.filter(({ scope }) => knownByScope.has(scope) || hasRoom())
    for (const { scope, value } of taken) use(scope).handles.set(handle, value)
    const now = taken.map(({ scope }) => scope)
    if (now.length > 0) usesByTab.set(tab, { handle, scopes: now })
    else usesByTab.delete(tab)
    for (const scope of new Set([...scopes, ...now])) changed(scope)
    for (const scope of now) relay?.show(scope, use(scope).shown)
  }

  function shownBy(scope: ScopeKey, gathering: Gathering): void {
    const known = knownByScope.get(scope)
    if (send !== null || known === undefined) return
    if (gathering.state === 'connecting') fade()
    else cancelGrace()
    tellOf(known, gathering)
  }

  function openRelay(tabs: Tabs, name: string, tab: string): void {
    relay ??= createRelay(tabs, name, tab, {
      onUses: follow,
      onAsked: () => send === null && knownByScope.size > 0 && relay?.use(ownUses()),
      onShown: shownBy,
    })
    for (const scope of knownByScope.keys()) changed(scope)
  }

  function closeRelay(): void {
    relay?.close()
    relay = null
  }

  function greeted(id: string | null): void {
    isAbsent = id === null
    self = id ?? ''
    cancelGrace()
    relay?.use([])
    relay?.ask()
    for (const [scope, known] of knownByScope) {
      if (isAbsent) forget(known, 'absent')
      else changed(scope)
    }
  }

  function forget(known: Known, state: Gathering['state']): void {
    known.people.clear()
    show(known, state, 0)
  }

  function hear({ scope, granted, whole, count, here, gone }: Gathered): void {
    const known = knownByScope.get(scope)
    if (known === undefined) return
    if (whole) known.people.clear()
    for (const id of gone) known.people.delete(id)
    for (const person of here) known.people.set(person.id, person)
    show(known, granted ? 'here' : 'denied', count)
  }

  /** There is no connection, or the next one was not made either. */
  function lost(): void {
    send = null
    const shown = [...knownByScope.values()].filter((known) => known.shown.state !== 'connecting')
    for (const known of shown) tellOf(known, { ...known.shown, state: 'connecting' })
    for (const tab of [...usesByTab.keys()]) follow(tab, [])
    for (const scope of unsaid) used(scope)
    unsaid.clear()
    cancelSaying?.()
    cancelSaying = null
    if (shown.length > 0) fade()
  }

  function fade(): void {
    cancelGrace()
    cancelGrace = timer(graceMs, () => {
      for (const known of knownByScope.values()) forget(known, 'connecting')
    })
  }

  const between =
    (open: OpenSocket): OpenSocket =>
    (url, events) => {
      let isOver = false
      const socket = open(url, {
        ...events,
        onMessage: (frame) => {
          if (frame.startsWith('{"type":"presence"')) return isOver || take(frame)
          // The engine judges it first, and may be done with this server.
          events.onMessage(frame)
          if (isOver || !frame.startsWith('{"type":"welcome"')) return
          const message = decodeAside(frame)
          if (message.type !== 'welcome') return
          send = message.presence === null ? null : socket.send
          greeted(message.presence)
        },
        onClose: () => {
          end()
          events.onClose()
        },
      })
      function take(frame: string): void {
        try {
          const message = decodeAside(frame)
          if (message.type === 'presence') hear(message)
        } catch {
          // What cannot be understood ends a connection, whoever hears it: the engine makes the next one.
          end()
          socket.close()
        }
      }
      function end(): void {
        if (isOver) return
        isOver = true
        // A tab that connects by itself has nobody who would do it in its place.
        if (send === null || send === socket.send) lost()
      }
      return {
        ...socket,
        close: () => {
          end()
          socket.close()
        },
      }
    }

  const hasRoom = () => [...knownByScope.values()].filter(({ handles }) => handles.size > 0).length < limits.presenceScopesMax

  function use(scope: ScopeKey): Known {
    const known = knownByScope.get(scope)
    if (known) return known
    if (!hasRoom())
      throw new HeadwaterError('presence', `Presence is used in ${limits.presenceScopesMax} scopes already.`, 'Release those that are not looked at.')
    const made: Known = {
      people: new Map(),
      shown: isAbsent ? { ...nobody, state: 'absent' } : nobody,
      handles: new Map(),
      subscribers: createSubscribers(() => {}),
    }
    knownByScope.set(scope, made)
    return made
  }

  return {
    ports: (given = {}) => {
      const ports = { ...browserPorts(), ...given }
      timer = ports.clock.timer
      const { tabs, chance } = ports
      // The name of the store is what the tabs have in common.
      const openDisk: Ports['openDisk'] = async (name) => {
        if (tabs) openRelay(tabs, name, Array.from(chance.bytes(8), (byte) => byte.toString(16)).join('.'))
        const disk = await ports.openDisk(name)
        return { ...disk, close: () => disk.close().finally(closeRelay) }
      }
      return { ...ports, openSocket: between(ports.openSocket), openDisk }
    },
    gathering: (kind, key) => knownByScope.get(scopeKey(kind, key))?.shown ?? nobody,
    scope: (kind, key) => {
      const scope = scopeKey(kind, key)
      const known = use(scope)
      const handle = {}
      known.handles.set(handle, undefined)
      changed(scope)
      const set = (value: Json | undefined) => {
        if (!known.handles.has(handle)) throw new HeadwaterError('presence', 'This handle was released.', 'Ask for another.')
        // What was said last is last.
        known.handles.delete(handle)
        known.handles.set(handle, value)
        changed(scope)
      }
      return {
        get: () => known.shown,
        subscribe: known.subscribers.add,
        say: (value) => {
          assertShort(value)
          set(value)
        },
        hide: () => set(undefined),
        release: () => {
          if (!known.handles.delete(handle)) return
          changed(scope)
        },
      }
    },
  }
}

function assertShort(value: Json): void {
  const why = unstorable(value, limits.jsonDepthMax, 'the value')
  if (why !== null) throw new HeadwaterError('presence', `This cannot be said: ${why}.`, 'Say JSON.')
  const { length } = JSON.stringify(value)
  if (length > limits.presenceLengthMax)
    throw new HeadwaterError('presence', `${length} characters of JSON are too many, ${limits.presenceLengthMax} are the most.`, 'Say less, or write a row.')
}

/** What is said with a scope: by the use that said something last. */
const lastOf = (known: Known | undefined) => [...(known?.handles.values() ?? [])].findLast((value) => value !== undefined)

/** Scopes that are left come first: no more than so many are held at a time. */
function framesOf(says: readonly { readonly as: string }[]): readonly string[] {
  const inOrder = says.toSorted((a, b) => Number(b.as === 'away') - Number(a.as === 'away'))
  const frames: string[] = []
  for (let at = 0; at < inOrder.length; at += limits.presenceScopesMax)
    frames.push(JSON.stringify({ type: 'presence', says: inOrder.slice(at, at + limits.presenceScopesMax) }))
  return frames
}
