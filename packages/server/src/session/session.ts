// One connection of one device, from its greeting to its end. States and messages are a table in packages/protocol/SPEC.md.
import { createHash } from 'node:crypto'
import {
  decodeUp,
  encode,
  type FailureCode,
  failureCodes,
  HeadwaterError,
  type Hello,
  protocolVersion,
  rowSum,
  type Up,
  type UserId,
  unreachable,
  limits as wire,
} from '@headwater/protocol'
import { wireColumns } from '../feed/columns.ts'
import { streamKey } from '../feed/stream.ts'
import { offerOf } from '../identity/histories.ts'
import { limits } from '../limits.ts'
import type { MutateDeps } from '../mutate/run.ts'
import type { Caller, Connection } from '../ports.ts'
import type { Presence, Visit } from '../presence/presence.ts'
import { failureFrame } from './frame.ts'
import { createPushes, type Pushes } from './pushes.ts'
import { createStanding, type StandingDeps } from './standing.ts'
import { type Attached, createSubscriber, type Subscriber, type SubscriberDeps } from './subscriber.ts'

export interface SessionDeps
  extends Omit<SubscriberDeps, 'checksumKey' | 'transmit' | 'isFull' | 'drained' | 'onFailure' | 'onRegranted' | 'end'>,
    MutateDeps,
    Pick<StandingDeps, 'told' | 'askSlots'> {
  readonly presence: Presence
}

export interface Session {
  /** Whose it is; null: nobody's. */
  readonly user: UserId | null
  onMessage(frame: string): void
  onClose(): void
  /** Asks the app whether the person still is who they were. */
  askAgain(): void
  /** Tells the device why, and closes. */
  end(code: FailureCode, message: string, hint: string): void
  /** Resolves when none of its mutations is under way. */
  idle(): Promise<void>
  mutationsWaiting(): number
  unreadBytes(): number
}

type State = 'new' | 'greeting' | 'live' | 'closed'

export function createSession(deps: SessionDeps, connection: Connection, caller: Caller): Session {
  const { clock, hub } = deps
  const { user } = caller
  let state: State = 'new'
  let subscriber: Subscriber | null = null
  let pushes: Pushes | null = null
  let visit: Visit | null = null
  let greeted: Promise<void> = Promise.resolve()
  let holding: Promise<void> = Promise.resolve()
  let summing: Promise<void> = Promise.resolve()
  let summed = 0
  let heardAt = clock.now()
  let draining: Promise<void> | null = null
  let cancelSilence = clock.timer(wire.helloMsMax, checkSilence)
  const standing = user === null ? null : createStanding(deps, user, caller, endWithSession)

  function checkSilence(): void {
    if (state === 'closed') return
    const silentMs = clock.now() - heardAt
    if (state === 'new') return end('malformed', 'No hello came.', 'A device greets first.')
    if (silentMs > wire.silenceMsMax) return end('malformed', `Nothing was heard for ${silentMs} ms.`, 'A device says ping now and then.')
    cancelSilence = clock.timer(limits.silenceCheckMs, checkSilence)
  }

  function onMessage(frame: string): void {
    if (state === 'closed') return
    heardAt = clock.now()
    try {
      receive(decodeUp(frame))
    } catch (error) {
      fail(error)
    }
  }

  function receive(message: Up): void {
    if (message.type === 'hello') return greet(message)
    if (message.type === 'ping') return connection.send(encode({ type: 'pong' }))
    if (state === 'new' || subscriber === null || pushes === null)
      throw new HeadwaterError('malformed', `${message.type} came before hello was answered.`, 'A device greets first.')
    const { hold, release, verify, repair } = subscriber
    switch (message.type) {
      case 'push':
        return pushes.add(message.mutations)
      case 'hold':
        holding = holding.then(async () => {
          const scopes = await hold(message.scopes)
          if (scopes.length > 0) connection.send(encode({ type: 'denied', scopes }))
        })
        holding.catch(fail)
        return
      case 'release':
        return release(message.scopes)
      case 'presence':
        if (state === 'live') return visit?.say(message.says)
        greeted.then(() => visit?.say(message.says)).catch(fail)
        return
      case 'verify':
      case 'repair': {
        const streams = [...message.granted.map((scope) => streamKey('eager', scope)), ...message.held.map((scope) => streamKey('onDemand', scope))]
        summed += streams.length
        if (summed > limits.verifiedMax) throw new HeadwaterError('too-large', 'Too many checksums were asked for on one connection.', 'Connect again.')
        summing = summing.then(() => (message.type === 'verify' ? verify(streams) : repair(streams)))
        summing.catch(fail)
        return
      }
      default:
        return unreachable(message)
    }
  }

  function greet(hello: Hello): void {
    if (state !== 'new') throw new HeadwaterError('malformed', 'A second hello came.', 'One connection, one greeting.')
    if (hello.version !== protocolVersion)
      throw new HeadwaterError(
        'version',
        `Version ${hello.version} of the protocol is not spoken here.`,
        `This server speaks ${protocolVersion}. Load the app again.`,
      )
    if (user === null) throw new HeadwaterError('unauthenticated', 'Nobody is signed in.', 'Sign in and connect again.')
    if (hello.user !== user)
      throw new HeadwaterError('wrong-user', 'The store on this device belongs to somebody else.', 'Sign in as its owner, or open a store for this person.')
    state = 'greeting'
    greeted = welcome(hello, user)
    holding = greeted
    greeted.catch(fail)
  }

  async function welcome(hello: Hello, person: UserId): Promise<void> {
    const nonce = Buffer.from(deps.chance.bytes(16)).toString('base64url')
    const offer = await offerOf(deps.database, deps.identity, hello.cursor)
    const rows = await deps.database.query('select answer, last_number::text as last from headwater.greet($1, $2, $3, $4, $5::text::bigint, $6)', [
      hello.device,
      person,
      hello.nonce,
      nonce,
      String(hello.confirmed),
      offer !== null,
    ])
    if (rows[0]?.answer !== 'ok')
      throw new HeadwaterError('forked', 'This device is not the one the server knows by its id.', 'It takes a new id and greets again.')
    if (isClosed()) return
    hub.withDevice(hello.device)?.end()
    const sender = { device: hello.device, user: person, isThere: () => !isClosed() }
    pushes = createPushes(deps, sender, deps.feed.wake, fail)
    const again = () => end('unavailable', 'This device connected again.', '')
    const onRegranted = () => visit?.regranted()
    const own = { checksumKey: rowSum(nonce, 0), transmit, isFull, drained, onFailure: fail, onRegranted, end: again }
    const joined = createSubscriber({ ...deps, ...own }, hello.device, person)
    subscriber = joined
    // Others know a device by this, and not by the id that it greets with.
    const id = createHash('sha256').update(hello.device).digest('base64url').slice(0, 22)
    await joined.attach(hello, (attached) => connection.send(welcomeFrame(attached, nonce, id, Number(rows[0]?.last), offer)))
    if (isClosed()) return
    visit = deps.presence.visit({ id, user: person, transmit, isFull, mayEnter: (scope) => joined.granted()?.has(scope) === true })
    state = 'live'
  }

  function welcomeFrame({ resume, last, continued }: Attached, nonce: string, presence: string, known: number, offer: boolean | null): string {
    const columns = new Map(Object.entries(deps.schema.definitions).map(([name, table]) => [name, wireColumns(table)]))
    const reason = resume === 'ok' ? '' : resume
    return encode({
      type: 'welcome',
      version: protocolVersion,
      ...deps.identity,
      nonce,
      resumed: resume === 'ok',
      reason,
      continued,
      offer,
      last: offer === null ? Math.max(last, known) : known,
      columns,
      presence,
    })
  }

  function transmit(frame: string | Buffer): void {
    // A device that was cut off greets again; there is nobody left to tell.
    if (isClosed()) return
    connection.send(frame)
    deps.measures.sent(frame.length)
    if (connection.bufferedBytes() > limits.bufferedBytesMax) drained().catch(() => {})
  }

  const isFull = () => isClosed() || connection.bufferedBytes() > limits.loadAheadBytes

  function drained(): Promise<void> {
    draining ??= drain().finally(() => {
      draining = null
    })
    return draining
  }

  /** Waits while the device has much unread; cuts it off if it gets no further. */
  async function drain(): Promise<void> {
    let least = Number.POSITIVE_INFINITY
    let since = clock.now()
    for (let bytes = connection.bufferedBytes(); bytes > limits.loadAgainBytes; bytes = connection.bufferedBytes()) {
      if (bytes < least) since = clock.now()
      least = Math.min(bytes, least)
      if (bytes > limits.unreadBytesMax || clock.now() - since > limits.slowReaderMsMax)
        end('unavailable', 'The device did not read for too long.', 'It resumes where it was.')
      if (isClosed()) break
      await new Promise<void>((resolve) => clock.timer(limits.drainPollMs, resolve))
    }
    if (isClosed()) throw new HeadwaterError('unavailable', 'The device has gone.')
  }

  const isClosed = () => state === 'closed'

  function fail(error: unknown): void {
    if (isClosed()) return
    const known = error instanceof HeadwaterError ? failureCodes.find((code) => code === error.code) : undefined
    if (known && error instanceof HeadwaterError) return end(known, error.message, error.hint)
    deps.onTrouble(error)
    const isDatabase = error instanceof HeadwaterError && ['connection', 'standby', 'sql'].includes(error.code)
    // What the database or a bug said is for the server's own log, never for a device.
    if (error instanceof HeadwaterError && error.code === 'scopes') end('unavailable', error.message, error.hint)
    else if (isDatabase) end('unavailable', 'The database cannot be reached.', 'The device tries again by itself.')
    else end('internal', 'The server failed.', 'The device tries again by itself.')
  }

  function end(code: FailureCode, message: string, hint: string): void {
    if (isClosed()) return
    connection.send(failureFrame(code, message, hint))
    connection.close()
    onClose()
  }

  /** What the device has by now is another matter: it greets again with it. What it has not read of what was sent, it does not get. */
  function endWithSession(): void {
    end('session-ended', 'The session of this connection has ended.', 'The device greets again; if nobody is signed in, sign in.')
    clock.timer(limits.farewellMs, connection.destroy)
  }

  function onClose(): void {
    if (isClosed()) return
    state = 'closed'
    cancelSilence()
    standing?.stop()
    visit?.leave()
    if (subscriber) hub.remove(subscriber)
  }

  return {
    user,
    askAgain: () => standing?.ask(),
    onMessage,
    onClose,
    end,
    idle: async () => pushes?.idle(),
    mutationsWaiting: () => pushes?.waiting() ?? 0,
    unreadBytes: () => (isClosed() ? 0 : connection.bufferedBytes()),
  }
}
