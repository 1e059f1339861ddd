// Carries out what machine.ts decides. Frames are handled one after the other: while a checkpoint waits for mutators to run
// again, the frames behind it wait too.
import {
  type Checkpoint,
  type Down,
  decodeDown,
  deviceId,
  encode,
  HeadwaterError,
  protocolVersion,
  type ScopeKey,
  type Up,
  userId,
  type Welcome,
} from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { Schema } from '@headwater/schema'
import type { Eviction, Status } from '../api.ts'
import type { Later, Outbox } from '../outbox/outbox.ts'
import type { Ports, Socket } from '../ports.ts'
import type { Journal } from '../store/journal.ts'
import { weightOf } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { createHolds, type Holds } from './holds.ts'
import { judge } from './judge.ts'
import { backoffMsMax, type Effect, type EventType, firstState, type State, step } from './machine.ts'
import { pushesOf } from './push.ts'
import type { Verifying } from './verify.ts'

type Problem = Status['problem']

export interface Sync {
  readonly holds: Holds
  readonly verify: Verifying['verify']
  start(): void
  stop(): void
  /** There may be something to send. */
  wanted(): void
  /** True from a welcome on, as long as there is a connection. */
  isTalking(): boolean
  /** `loading`: from a welcome that is followed by a first load until that is there. */
  phase(): Status['phase']
  problem(): Problem
  /** What the server said last of its columns and itself; null before. */
  welcome(): Welcome | null
}

export interface SyncDeps {
  readonly schema: Schema
  readonly user: string
  readonly url: string
  readonly eviction?: Eviction | undefined
  readonly ports: Ports
  readonly store: Store
  readonly outbox: Outbox
  /** null: this device has no disk that works. */
  readonly journal: () => Journal | null
  readonly newId: () => string
  /** A frame came: `run` takes it, and may have to wait. */
  readonly gate: (frame: string, run: () => void) => void
  readonly later: () => Promise<Later>
  readonly onChange: () => void
  readonly report: (error: unknown) => void
}

export function createSync(deps: SyncDeps): Sync {
  const { ports, store, outbox } = deps
  let state = firstState
  let problem: Problem = null
  let welcome: Welcome | null = null
  let socket: Socket | null = null
  let inbox: (() => void)[] = []
  let heard = ''
  let [isApplying, isFirst, isWanted] = [false, false, false]
  let forked = Promise.resolve()
  // Up to which number mutations were sent or had reached the server before; how much was said, since something was heard.
  let [sentUpTo, said] = [0, 0]
  let [stopListening, cancelTimer] = [() => {}, () => {}]
  const carryOut = effects()
  const holds = createHolds({ ...deps, onWanted: want })
  // Most devices are never asked for checksums: what compares them is fetched when the first ones come.
  let verifying: Verifying | null = null
  const fetched = async () => {
    const { createVerifying } = await deps.later()
    verifying ??= createVerifying({ ...deps, send, onWanted: want, wire: () => welcome?.columns })
    return verifying
  }

  function effects(): Readonly<Record<Effect, (message?: Down) => void>> {
    return {
      connect,
      close,
      greet,
      listen: () => {
        said = 0
        after('due', limits.pingEveryMs)
      },
      ping: () => {
        ask()
        if (store.scopes().held.size)
          deps
            .later()
            .then(({ sweep }) => sweep({ ...deps, holds, send, persist, onWanted: want, isIdle: () => state.phase === 'live' && !isApplying }), deps.report)
      },
      backoff: () => after('due', ports.chance.fraction() * backoffMsMax(state.attempt)),
      retrySlowly: () => after('due', limits.retrySlowlyMs),
      accept,
      take,
      talk,
      forget: store.forgetCursor,
      drop: () => {
        outbox.drop()
        restart()
      },
      fork: (message) => fork(false, message),
      adopt: () => fork(true),
      complain: (message) => {
        problem = message?.type === 'failure' ? message : otherDatabase
      },
      recover: () => {
        problem = verifying?.problem() ?? null
      },
    }
  }

  function want(): void {
    if (isWanted) return
    isWanted = true
    queueMicrotask(() => {
      isWanted = false
      dispatch('wanted')
    })
  }

  function dispatch(type: EventType, number?: number, message?: Down): void {
    const decided = step(state, { type, socket: number })
    state = decided.state
    for (const effect of decided.effects) carryOut[effect](message)
    // What is applied is counted when it is there.
    if (!isApplying) deps.onChange()
  }

  function after(type: EventType, afterMs: number): void {
    // One timer: what is set takes the place of what was set before.
    cancelTimer()
    const dueAt = ports.clock.now() + afterMs
    cancelTimer = ports.clock.timer(afterMs, () => {
      // The device slept, or its clock was set. If it slept for so long, the server has cut it off.
      if (ports.clock.now() - dueAt > limits.silenceMsMax) dispatch('lost')
      dispatch(type)
    })
  }

  function connect(): void {
    after('lost', limits.helloMsMax)
    said = 0
    const number = state.socket
    socket = ports.openSocket(deps.url, {
      onOpen: () => dispatch('opened', number),
      onMessage: (frame) =>
        deps.gate(frame, () => {
          inbox.push(() => hear(number, frame))
          drain()
        }),
      onClose: () => dispatch('lost', number),
    })
  }

  function close(): void {
    cancelTimer()
    inbox = []
    socket?.close()
    socket = null
  }

  const send = (message: Up) => say(encode(message))
  function ask(): void {
    // The pong comes behind what was said before, and behind what is being loaded.
    send({ type: 'ping' })
    after('lost', (state.phase === 'levelling' ? limits.loadingAnswerMsMax : limits.answerMsMax) + said / limits.saidPerMs)
  }

  function say(frame: string): void {
    // A connection that is dead is noticed soon after something was said to it.
    if (!said) after('due', limits.askAfterMs)
    said += frame.length
    socket?.send(frame)
  }

  function greet(): void {
    // The new name of the device is on the disk before the server hears of it, and what is on the disk is applied.
    const number = state.socket
    void forked.then(() => deps.gate('', () => state.socket === number && hello()))
  }

  function hello(): void {
    const asked = store.cursor() ? [...store.scopes().held] : holds.wanted()
    holds.greeted(asked)
    verifying?.greeted()
    isFirst = true
    send(helloOf(deps, asked))
    ask()
  }

  function drain(): void {
    while (!isApplying && inbox.length) inbox.shift()?.()
  }

  function hear(number: number, frame: string): void {
    heard = frame
    try {
      const message = decodeDown(frame)
      dispatch(judge(message, outbox, store), number, message)
    } catch (error) {
      deps.report(error)
      dispatch('lost', number)
    }
  }

  const restart = () => deps.journal()?.restart()
  // The record of a frame is the frame, as it came.
  const persist = (message: Down, frame = heard) => deps.journal()?.cache(frame, weightOf(message)) ?? Promise.resolve()
  function accept(message?: Down): void {
    if (message?.type !== 'welcome') return
    welcome = message
    store.dropLoads(message.continued)
    store.setColumns(message.columns)
    outbox.welcomed(message)
    persist(message)
    sentUpTo = message.last
  }

  function take(message?: Down): void {
    if (message?.type === 'checkpoint') void apply(message)
    if (message?.type === 'denied') holds.deny(message.scopes)
    if (message?.type !== 'load') return
    try {
      store.stage(message)
    } catch (error) {
      // Its checkpoint came before it: what was applied lacks these rows.
      store.forgetCursor()
      store.dropLoads()
      restart()
      throw error
    }
    persist(message)
  }

  async function apply(message: Checkpoint): Promise<void> {
    const number = state.socket
    const frame = heard
    let event: EventType = 'lost'
    isApplying = true
    try {
      await outbox.receive(message, store.takeLoads(message.loads), () => persist(message, frame))
      if (verifying) verifying.hear(message)
      // Sums are of one moment and one connection. If either is over by then, the server asks again.
      else if (message.checks) fetched().then((one) => number === state.socket && message.cursor === store.cursor() && one.hear(message), deps.report)
      const isLoaded = store.isLoaded()
      holds.follow(isFirst && isLoaded)
      isFirst &&= !isLoaded
      // Before all is here nothing is level, but there may be something to send.
      event = isLoaded ? 'applied' : 'wanted'
    } catch (error) {
      deps.report(error)
    }
    isApplying = false
    dispatch(event, number)
    // While columns are to come that a role shows, rows written anew would show them as null.
    if (store.scopes().tag !== '-') deps.journal()?.compact()
    drain()
  }

  function talk(): void {
    const scopes = holds.takeWanted()
    if (scopes.length) send({ type: 'hold', scopes })
    if (state.phase === 'live') verifying?.talk()
    outbox.number()
    const entries = outbox.sendable(sentUpTo)
    for (const push of pushesOf(entries, outbox.sendable(0).length - entries.length)) {
      say(push.frame)
      for (const entry of push.entries) {
        entry.sent()
        sentUpTo = entry.mutation.number
      }
    }
  }

  function fork(isForgotten: boolean, message?: Down): void {
    // A welcome, or a failure, which wants nothing again.
    forked = outbox.fork(deviceId(deps.newId()), isForgotten, message as Welcome | undefined).catch(deps.report)
    forked.then(() => dispatch('forked'))
  }

  return {
    holds,
    verify: () => fetched().then((one) => one.verify()),
    start: () => {
      stopListening = ports.network.onChange(() => {
        dispatch(ports.network.isOnline() ? 'due' : 'lost')
      })
      dispatch('start')
    },
    stop: () => {
      stopListening()
      dispatch('stop')
    },
    wanted: want,
    isTalking: () => state.phase === 'live' || state.phase === 'levelling',
    phase: () => phaseOf(state.phase, store.isLoaded() && welcome?.resumed === true),
    problem: () => problem,
    welcome: () => welcome,
  }
}

/** `asked`: the scopes that it names. */
function helloOf({ user, outbox, store }: SyncDeps, asked: readonly ScopeKey[]): Up {
  const { device, nonce, confirmed } = outbox.identity()
  const { granted, tag } = store.scopes()
  return {
    type: 'hello',
    version: protocolVersion,
    user: userId(user),
    device: deviceId(device),
    nonce,
    cursor: store.cursor(),
    confirmed,
    granted: [...granted],
    held: asked,
    grants: tag,
    mark: store.marked()?.mark ?? null,
  }
}

function phaseOf(phase: State['phase'], isShown: boolean): Status['phase'] {
  if (phase === 'levelling' && !isShown) return 'loading'
  return phase === 'live' || phase === 'stopped' ? phase : 'connecting'
}

const otherDatabase = new HeadwaterError('other-database', 'It is another database.', 'Sign out.')
