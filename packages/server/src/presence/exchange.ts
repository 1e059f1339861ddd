// People of several servers on one PostgreSQL see each other: servers tell each other by NOTIFY, which writes no row. Each says at which scopes
// somebody looks on it, and is told of these alone: one server by itself says next to nothing.
// Invariant: what is known of a server is what it told since it was last begun with; a gap, on either side, begins anew.
import { HeadwaterError, type ScopeKey, limits as wire } from '@headwater/protocol'
import type { Listener } from '../feed/feed.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { Local } from './gathering.ts'
import { type Notice, noticeOf, noticeText, payloadsOf, type Telling, tellingText } from './notice.ts'
import { differenceOf, type People, type Person } from './people.ts'

export interface Exchange {
  /** Whether anybody of this server is in a scope. */
  want(scope: ScopeKey, isWanted: boolean): void
  /** People of this server in a scope have come, gone or said something. */
  changed(scope: ScopeKey): void
  elsewhere(scope: ScopeKey): { readonly people: Iterable<readonly [string, Person]>; readonly count: number }
  /** Before anything else. `own`: those of this server; null: nobody. `onChange` runs when what `elsewhere` answers is another. */
  connect(own: (scope: ScopeKey) => Local | null, onChange: (scope: ScopeKey) => void): void
  stop(): Promise<void>
}

/** Of a database that one server alone uses. */
export const noExchange: Exchange = {
  want: () => {},
  changed: () => {},
  elsewhere: () => ({ people: [], count: 0 }),
  connect: () => {},
  stop: async () => {},
}

export interface ExchangeDeps {
  readonly clock: Pick<Clock, 'now' | 'timer'>
  /** No other server has it. */
  readonly name: string
  /** Called once, when somebody is in a scope for the first time. */
  readonly listen: (listener: Listener) => void
  /** Tells all servers, in order. */
  readonly notify: (payloads: readonly string[]) => Promise<void>
  readonly onTrouble: (error: unknown) => void
}

interface Peer {
  heardAt: number
  readonly wants: Set<ScopeKey>
  readonly scopes: Map<ScopeKey, { count: number; readonly people: Map<string, Person> }>
}

export function createExchange(deps: ExchangeDeps): Exchange {
  const { clock, name } = deps
  const wanted = new Set<ScopeKey>()
  const peers = new Map<string, Peer>()
  // What the others were told of this server's people, and of which scopes it is not so any more, or was never told to somebody.
  const told = new Map<ScopeKey, Local>()
  const changed = new Set<ScopeKey>()
  const whole = new Set<ScopeKey>()
  const news = { wants: new Set<ScopeKey>(), drops: new Set<ScopeKey>() }
  let greeting: 'hi' | 'all' | null = null
  let [isListening, isHeard, isStopped] = [false, false, false]
  let sending: Promise<void> | null = null
  let [cancel, cancelBeat]: (null | (() => void))[] = [null, null]
  let [own, onChange]: Parameters<Exchange['connect']> = [() => null, () => {}]

  /** Nothing of before counts, neither way. */
  function begin(): void {
    for (const from of [...peers.keys()]) forget(from)
    told.clear()
    greet('hi')
  }

  function greet(as: 'hi' | 'all'): void {
    if (greeting !== 'hi') greeting = as
    news.wants.clear()
    news.drops.clear()
    stir()
  }

  function stir(): void {
    if (isHeard && !isStopped) cancel ??= clock.timer(0, send)
  }

  function send(): void {
    const payloads = takePayloads()
    cancel = null
    if (payloads.length === 0 || isStopped) return
    // Nobody else sends meanwhile.
    cancel = () => {}
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0)
    const after = (afterMs: number, run: () => void) => {
      if (!isStopped) cancel = clock.timer(afterMs, run)
    }
    sending = deps.notify(payloads).then(
      () => after(Math.max(wire.presenceEveryMs, bytes / limits.noticeBytesPerMs), send),
      (error) => {
        deps.onTrouble(error)
        after(limits.noticeRetryMs, () => {
          cancel = null
          begin()
        })
      },
    )
  }

  function takePayloads(): readonly string[] {
    const texts = (scopes: Iterable<ScopeKey>) => [...scopes].map((scope) => JSON.stringify(scope))
    const greeted = greeting === null ? [] : payloadsOf(name, greeting, 'wants', texts(wanted), limits.noticeBytesMax)
    greeting = null
    const more = (member: 'wants' | 'drops', scopes: Set<ScopeKey>) => {
      const payloads = payloadsOf(name, 'more', member, texts(scopes), limits.noticeBytesMax)
      scopes.clear()
      return payloads
    }
    return [...greeted, ...more('drops', news.drops), ...more('wants', news.wants), ...payloadsOf(name, 'more', 'tells', takeTellings(), limits.noticeBytesMax)]
  }

  /** What nobody looks at is not told, and so is not known to anybody. */
  function takeTellings(): readonly string[] {
    const texts: string[] = []
    let bytes = 0
    for (const scope of new Set([...whole, ...changed])) {
      if (bytes > limits.noticesBytesMax) break
      const isWhole = whole.delete(scope)
      changed.delete(scope)
      if (![...peers.values()].some(({ wants }) => wants.has(scope))) {
        told.delete(scope)
        continue
      }
      const now = own(scope) ?? { people: new Map(), count: 0 }
      const before = told.get(scope)
      const parts = partsOf(scope, isWhole || before === undefined, before, now)
      bytes += parts.reduce((sum, { length }) => sum + length, 0)
      texts.push(...parts)
      if (now.count === 0) told.delete(scope)
      else told.set(scope, now)
    }
    return texts
  }

  function hear(payload: string): void {
    const notice = noticeOf(payload)
    if (notice === null || notice.from === name || isStopped) return
    const { from, as } = notice
    if (as === 'bye') return forget(from)
    if (as === 'hi') forget(from)
    // What it said before was not heard here.
    else if (as === 'more' && !peers.has(from)) begin()
    const peer = peers.get(from) ?? { heardAt: 0, wants: new Set(), scopes: new Map() }
    if (peers.size >= limits.peersMax && !peers.has(from)) return
    peers.set(from, peer)
    peer.heardAt = clock.now()
    if (as === 'hi') greet('all')
    follow(peer, notice)
  }

  function follow(peer: Peer, { as, wants, drops, tells }: Notice): void {
    const before = new Set(peer.wants)
    if (as === 'all') peer.wants.clear()
    for (const scope of drops ?? []) peer.wants.delete(scope)
    for (const scope of wants ?? []) {
      if (peer.wants.size >= limits.peerScopesMax) break
      peer.wants.add(scope)
      if (!before.has(scope)) whole.add(scope)
    }
    if (whole.size > 0) stir()
    for (const telling of tells ?? []) if (wanted.has(telling.scope)) take(peer, telling)
  }

  function take(peer: Peer, { scope, whole: isWhole, count, here, gone }: Telling): void {
    const known = peer.scopes.get(scope) ?? { count: 0, people: new Map<string, Person>() }
    if (isWhole === true) known.people.clear()
    for (const id of gone ?? []) known.people.delete(id)
    for (const { id, user, value } of here ?? [])
      if (known.people.size < wire.presenceToldMax || known.people.has(id)) known.people.set(id, { user, value: JSON.stringify(value) })
    known.count = Math.max(count, known.people.size)
    if (known.count === 0) peer.scopes.delete(scope)
    else peer.scopes.set(scope, known)
    onChange(scope)
  }

  function forget(from: string): void {
    const peer = peers.get(from)
    peers.delete(from)
    for (const scope of peer?.scopes.keys() ?? []) onChange(scope)
  }

  function beat(): void {
    cancelBeat = clock.timer(limits.peerBeatMs, beat)
    for (const [from, { heardAt }] of peers) if (Math.abs(clock.now() - heardAt) > limits.peerGoneMs) forget(from)
    // Whom nobody of this server looks at need not hear of it.
    if (wanted.size > 0 && cancel === null && isHeard) deps.notify([noticeText(name, 'more')]).catch(deps.onTrouble)
  }

  function listen(): void {
    if (isListening) return
    isListening = true
    cancelBeat = clock.timer(limits.peerBeatMs, beat)
    deps.listen({
      onNotice: hear,
      onSession: (isDirect) => {
        if (!isDirect) deps.onTrouble(unheard())
        isHeard = isDirect
        if (isDirect) begin()
      },
    })
  }

  return {
    want: (scope, isWanted) => {
      const [to, from] = isWanted ? [news.wants, news.drops] : [news.drops, news.wants]
      from.delete(scope)
      to.add(scope)
      // Who looked at nothing has said nothing: by now the others may have forgotten this server.
      const isFirst = isWanted && wanted.size === 0
      if (isWanted) wanted.add(scope)
      else wanted.delete(scope)
      if (!isWanted) for (const { scopes } of peers.values()) scopes.delete(scope)
      listen()
      if (isFirst) begin()
      stir()
    },
    changed: (scope) => {
      changed.add(scope)
      stir()
    },
    elsewhere: (scope) => {
      const known = [...peers.values()].flatMap(({ scopes }) => scopes.get(scope) ?? [])
      return { people: known.flatMap(({ people }) => [...people]), count: known.reduce((sum, { count }) => sum + count, 0) }
    },
    connect: (...given) => {
      ;[own, onChange] = given
    },
    stop: async () => {
      isStopped = true
      cancel?.()
      cancelBeat?.()
      await sending
      if (isHeard) await deps.notify([noticeText(name, 'bye')]).catch(deps.onTrouble)
    },
  }
}

/** A notice per person: each fits into a payload. */
function partsOf(scope: ScopeKey, isWhole: boolean, before: Local | undefined, { people, count }: Local): readonly string[] {
  const nobody: People = new Map()
  const { here, gone } = differenceOf(isWhole ? nobody : (before?.people ?? nobody), people)
  if (!isWhole && here.length === 0 && gone.length === 0 && count === before?.count) return []
  return [tellingText(scope, isWhole, count, [], gone), ...here.map((person) => tellingText(scope, false, count, [person], []))]
}

const unheard = () =>
  new HeadwaterError(
    'pooled',
    'People who are connected to other servers are not seen, nor seen there: the database’s URL leads through a pooler, where nobody can be notified.',
    'Give the URL of the server itself as directUrl.',
  )
