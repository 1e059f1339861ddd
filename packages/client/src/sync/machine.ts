// The states of a device's connection by its events: decided here, purely, and carried out in sync.ts. The table is in
// packages/protocol/SPEC.md, and its test has a row for every state and event.
//
// Invariant: an event of a socket that is not the present one changes nothing.
import { type Checkpoint, type Denied, type Failure, limits, type Load, type Welcome } from '@headwater/protocol'
import type { Status } from '../api.ts'

export type Phase = 'stopped' | 'waiting' | 'connecting' | 'greeting' | 'levelling' | 'live'

export interface State {
  readonly phase: Phase
  /** Attempts since the last checkpoint: what the time until the next one follows from. */
  readonly attempt: number
  /** The present socket. Counts up with every one, and when one is given up. */
  readonly socket: number
}

/** What a welcome means to this device; see `judge`. */
export type Verdict = 'accepted' | 'reload' | 'adopt' | 'forked' | 'other-database'

export type Event =
  | { readonly type: 'start' | 'stop' | 'online' | 'retry' | 'silence' | 'ping' | 'wanted' | 'forked' }
  | { readonly type: 'opened' | 'closed' | 'malformed' | 'applied' | 'pong'; readonly socket: number }
  | { readonly type: 'welcome'; readonly socket: number; readonly message: Welcome; readonly verdict: Verdict }
  | { readonly type: 'load'; readonly socket: number; readonly message: Load }
  | { readonly type: 'checkpoint'; readonly socket: number; readonly message: Checkpoint }
  | { readonly type: 'denied'; readonly socket: number; readonly message: Denied }
  | { readonly type: 'failure'; readonly socket: number; readonly message: Failure }

export type TimerName = 'retry' | 'silence' | 'ping'
export type Problem = Status['problem']

export type Effect =
  | { readonly type: 'connect' | 'close' | 'greet' | 'ping' | 'talk' }
  | { readonly type: 'accept'; readonly message: Welcome }
  | { readonly type: 'stage'; readonly message: Load }
  | { readonly type: 'apply'; readonly message: Checkpoint }
  | { readonly type: 'deny'; readonly message: Denied }
  /** A new device id, on the disk before the next greeting; then the event `forked`. With `isForgotten`, of a database not met before. */
  | { readonly type: 'fork'; readonly isForgotten: boolean }
  /** Rows and cursor are of another database, and go. */
  | { readonly type: 'drop' }
  /** The cursor goes; rows stay until they are loaded again. */
  | { readonly type: 'forget' }
  | { readonly type: 'timer'; readonly name: TimerName; readonly afterMs: number }
  /** Runs `retry` after a random part of this. */
  | { readonly type: 'backoff'; readonly afterMsMax: number }
  | { readonly type: 'problem'; readonly problem: Problem }

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

export const firstState: State = { phase: 'stopped', attempt: 0, socket: 0 }

const backoffMsMin = 250
const backoffMsMax = 30_000

export function step(state: State, event: Event): Step {
  if ('socket' in event && event.socket !== state.socket) return stay(state)
  const decided = decide(state, event)
  // Whatever is heard shows that the other side is there.
  return isFrame(event) && isConnected(decided.state) ? { ...decided, effects: [...decided.effects, silenceTimer] } : decided
}

function decide(state: State, event: Event): Step {
  switch (event.type) {
    case 'start':
      return state.phase === 'stopped' ? connect(state) : stay(state)
    case 'stop':
      return { state: over(state, 'stopped'), effects: [{ type: 'close' }] }
    case 'online':
    case 'retry':
      return state.phase === 'waiting' ? connect(state) : stay(state)
    case 'forked':
      return state.phase === 'waiting' ? stay(state, backoff(state)) : stay(state)
    case 'opened':
      return state.phase === 'connecting' ? { state: { ...state, phase: 'greeting' }, effects: [{ type: 'greet' }, silenceTimer] } : stay(state)
    case 'closed':
    case 'silence':
    case 'malformed':
      return state.phase === 'stopped' || state.phase === 'waiting' ? stay(state) : resume(state)
    case 'ping':
      return isWelcome(state) ? stay(state, { type: 'ping' }, pingTimer) : stay(state)
    case 'wanted':
      return isWelcome(state) ? stay(state, { type: 'talk' }) : stay(state)
    case 'applied':
      return isWelcome(state) ? { state: { ...state, phase: 'live', attempt: 0 }, effects: [{ type: 'problem', problem: null }, { type: 'talk' }] } : stay(state)
    case 'pong':
      return stay(state)
    case 'failure':
      return fail(state, event.message)
    case 'welcome':
      return state.phase === 'greeting' ? greeted(state, event.message, event.verdict) : resume(state)
    case 'load':
      return isWelcome(state) ? stay(state, { type: 'stage', message: event.message }) : resume(state)
    case 'checkpoint':
      return isWelcome(state) ? stay(state, { type: 'apply', message: event.message }) : resume(state)
    case 'denied':
      return isWelcome(state) ? stay(state, { type: 'deny', message: event.message }) : resume(state)
  }
}

function greeted(state: State, message: Welcome, verdict: Verdict): Step {
  switch (verdict) {
    case 'accepted':
      return { state: { ...state, phase: 'levelling' }, effects: [{ type: 'accept', message }, { type: 'talk' }, pingTimer] }
    case 'reload':
      return { state: waiting(state), effects: [{ type: 'accept', message }, { type: 'forget' }, { type: 'close' }, backoff(state)] }
    case 'forked':
      return { state: waiting(state), effects: [{ type: 'close' }, { type: 'fork', isForgotten: false }] }
    case 'adopt':
      return { state: waiting(state), effects: [{ type: 'close' }, { type: 'drop' }, { type: 'fork', isForgotten: true }] }
    case 'other-database':
      return { state: over(state, 'stopped'), effects: [{ type: 'close' }, { type: 'drop' }, { type: 'problem', problem: otherDatabase }] }
  }
}

function fail(state: State, { code, message, hint }: Failure): Step {
  const problem: Effect = { type: 'problem', problem: { code, message, hint } }
  switch (code) {
    case 'version':
    case 'wrong-user':
      return { state: over(state, 'stopped'), effects: [{ type: 'close' }, problem] }
    case 'unauthenticated':
      return { state: waiting(state), effects: [{ type: 'close' }, problem, { type: 'timer', name: 'retry', afterMs: backoffMsMax }] }
    case 'forked':
      return { state: waiting(state), effects: [{ type: 'close' }, { type: 'fork', isForgotten: false }] }
    case 'draining':
      return resume(state)
    case 'malformed':
    case 'too-large':
    case 'unavailable':
    case 'internal':
      return resume(state, problem)
  }
}

const stay = (state: State, ...effects: readonly Effect[]): Step => ({ state, effects })

const over = (state: State, phase: 'stopped' | 'waiting'): State => ({ ...state, phase, socket: state.socket + 1 })

const waiting = (state: State): State => ({ ...over(state, 'waiting'), attempt: state.attempt + 1 })

function connect(state: State): Step {
  return { state: { ...state, phase: 'connecting', socket: state.socket + 1 }, effects: [{ type: 'connect' }, { type: 'timer', name: 'silence', afterMs: limits.helloMsMax }] }
}

const resume = (state: State, ...effects: readonly Effect[]): Step => ({ state: waiting(state), effects: [{ type: 'close' }, ...effects, backoff(state)] })

const backoff = ({ attempt }: State): Effect => ({ type: 'backoff', afterMsMax: Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(attempt, 10)) })

const silenceTimer: Effect = { type: 'timer', name: 'silence', afterMs: limits.silenceMsMax }
const pingTimer: Effect = { type: 'timer', name: 'ping', afterMs: limits.pingEveryMs }

const isWelcome = ({ phase }: State) => phase === 'levelling' || phase === 'live'
const isConnected = (state: State) => state.phase === 'greeting' || isWelcome(state)
const isFrame = ({ type }: Event) => ['welcome', 'load', 'checkpoint', 'denied', 'pong'].includes(type)

const otherDatabase = {
  code: 'other-database',
  message: 'The server now has another database than the one these changes were made for.',
  hint: 'Nothing was sent to it. Connect the server to the former database, or export what is pending and sign out.',
}
