// The states of a device's connection by its events, as a table: decided here, purely, and carried out in sync.ts. The same
// table in words is in packages/protocol/SPEC.md, and the test has a row for every phase and event.
//
// Invariant: an event of a socket that is not the present one changes nothing.

/**
 * `stopped`: not trying. `waiting`: for the next attempt. `connecting`: a socket is opening. `greeting`: hello was sent.
 * `levelling`: welcomed, and not level before the first checkpoint. `live`: level.
 */
export type Phase = 'stopped' | 'waiting' | 'connecting' | 'greeting' | 'levelling' | 'live'

export type EventType =
  /** Of the app and the device. `wanted`: there may be something to send. `forked`: the new device id is on the disk. `applied`: a checkpoint is in the store. */
  | 'start'
  | 'stop'
  | 'online'
  | 'offline'
  | 'wanted'
  | 'forked'
  | 'applied'
  /** Of timers. */
  | 'retry'
  | 'silence'
  | 'ping'
  /** Of the socket. `malformed`: what came cannot be understood or applied. */
  | 'opened'
  | 'closed'
  | 'malformed'
  /** A welcome, by what it means to this device; see `judge`. */
  | 'accepted'
  | 'reload'
  | 'adopt'
  | 'copied'
  | 'other-database'
  /** The other messages; a failure by what it asks for. `refused`: nothing before a person acts. */
  | 'load'
  | 'checkpoint'
  | 'denied'
  | 'pong'
  | 'failed'
  | 'draining'
  | 'unauthenticated'
  | 'refused'

export type Effect =
  | 'connect'
  | 'close'
  | 'greet'
  /** The silence timer runs from now. */
  | 'listen'
  | 'ping'
  | 'pingLater'
  /** `retry` comes after a random part of `backoffMsMax`; or, `retrySlowly`, after all of `slowlyMs`. */
  | 'backoff'
  | 'retrySlowly'
  /** Take what a welcome says; a message's rows, changes or denials. */
  | 'accept'
  | 'take'
  /** Ask for scopes and push. */
  | 'talk'
  /** The cursor goes; rows stay until they are loaded again. */
  | 'forget'
  /** Rows and cursor are of another database, and go. */
  | 'drop'
  /** A new device id, on the disk before the next greeting; then `forked`. `adopt`: and the database is one not met before. */
  | 'fork'
  | 'adopt'
  /** The problem is what the message says; or there is none. */
  | 'complain'
  | 'recover'

export interface State {
  readonly phase: Phase
  /** Attempts since the last checkpoint: what the time until the next one follows from. */
  readonly attempt: number
  /** The present socket. Counts up with every one, and when one is given up. */
  readonly socket: number
}

export interface Event {
  readonly type: EventType
  /** Where it came from, if it came from a socket. */
  readonly socket?: number | undefined
}

export const firstState: State = { phase: 'stopped', attempt: 0, socket: 0 }

export const slowlyMs = 30_000
const backoffMsMin = 250

export const backoffMsMax = (attempt: number): number => Math.min(slowlyMs, backoffMsMin * 2 ** Math.max(0, attempt - 1))

export function step(state: State, { type, socket = state.socket }: Event): { readonly state: State; readonly effects: readonly Effect[] } {
  const outcome = socket === state.socket ? table[state.phase][type] : undefined
  if (outcome === undefined) return { state, effects: [] }
  const [phase, ...effects] = outcome
  const isOver = effects.includes('close')
  return {
    state: {
      phase,
      attempt: phase === 'live' ? 0 : state.attempt + (phase === 'waiting' && isOver ? 1 : 0),
      socket: state.socket + (isOver || effects.includes('connect') ? 1 : 0),
    },
    effects,
  }
}

/** What follows: the next phase, and what to do. An event that is not named changes nothing. */
export type Outcome = readonly [Phase, ...Effect[]]
type Row = Readonly<Partial<Record<EventType, Outcome>>>

const connect: Outcome = ['connecting', 'connect']
const resume: Outcome = ['waiting', 'close', 'backoff']
const stop: Row = { stop: ['stopped', 'close'] }
const broken: Row = { ...stop, offline: resume, closed: resume, silence: resume, malformed: resume }
const failures: Row = {
  ...broken,
  failed: ['waiting', 'close', 'complain', 'backoff'],
  draining: resume,
  unauthenticated: ['waiting', 'close', 'complain', 'retrySlowly'],
  refused: ['stopped', 'close', 'complain'],
  copied: ['waiting', 'close', 'fork'],
}
function welcomed(phase: Phase): Row {
  const take: Outcome = [phase, 'listen', 'take']
  return {
    ...failures,
    ping: [phase, 'ping', 'pingLater'],
    wanted: [phase, 'talk'],
    applied: ['live', 'recover', 'talk'],
    load: take,
    checkpoint: take,
    denied: take,
    pong: [phase, 'listen'],
    accepted: resume,
    reload: resume,
    adopt: resume,
    'other-database': resume,
  }
}

const table: Readonly<Record<Phase, Row>> = {
  stopped: { ...stop, start: connect },
  waiting: { ...stop, online: connect, retry: connect, forked: ['waiting', 'backoff'] },
  connecting: { ...broken, opened: ['greeting', 'greet', 'listen'] },
  greeting: {
    ...failures,
    pong: ['greeting', 'listen'],
    accepted: ['levelling', 'listen', 'accept', 'talk', 'pingLater'],
    reload: ['waiting', 'accept', 'forget', 'close', 'backoff'],
    adopt: ['waiting', 'close', 'drop', 'adopt'],
    'other-database': ['stopped', 'close', 'drop', 'complain'],
    load: resume,
    checkpoint: resume,
    denied: resume,
  },
  levelling: welcomed('levelling'),
  live: welcomed('live'),
}
