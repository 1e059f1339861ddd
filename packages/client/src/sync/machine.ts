// The states of a device's connection by its events, as a table: decided here, purely, and carried out in sync.ts. The same
// table in words is in packages/protocol/SPEC.md, and the test has a row for every phase and event.
//
// Invariant: an event of a socket that is not the present one changes nothing.
import * as limits from '@headwater/protocol/limits'

/**
 * `stopped`: not trying. `waiting`: for the next attempt. `connecting`: a socket is opening. `greeting`: hello was sent.
 * `levelling`: welcomed, and not level before the first checkpoint. `live`: level.
 */
export type Phase = 'stopped' | 'waiting' | 'connecting' | 'greeting' | 'levelling' | 'live'

export type EventType =
  /** Of the app and the device. `wanted`: there may be something to send. `forked`: the new device id is on the disk. `applied`: a checkpoint is in the store. */
  | 'start'
  | 'stop'
  | 'wanted'
  | 'forked'
  | 'applied'
  /** The timer, or the network is back, or somebody looks at the page again: time to try, or to ask whether the connection lives. */
  | 'due'
  /** Of the socket. `lost`: it closed, is silent, what came cannot be understood or applied, the server stops, or there is no network. */
  | 'opened'
  | 'lost'
  /** A welcome, by what it means to this device; see `judge`. */
  | 'accepted'
  | 'reload'
  | 'adopt'
  | 'copied'
  | 'other-database'
  /** Rows, changes or denials. */
  | 'news'
  | 'pong'
  /** A failure, by what it asks for. `refused`: nothing before a person acts. */
  | 'failed'
  | 'unauthenticated'
  | 'refused'

export type Effect =
  | 'connect'
  | 'close'
  | 'greet'
  /** Something was heard: a ping in a while. */
  | 'listen'
  /** Asks for a pong, which must come soon. */
  | 'ping'
  /** `due` comes after a random part of `backoffMsMax`; or, `retrySlowly`, after all of `retrySlowlyMs`. */
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

export const backoffMsMax = (attempt: number): number => Math.min(limits.retrySlowlyMs, limits.backoffMsMin * 1.5 ** Math.max(0, attempt - 1))

export function step(state: State, { type, socket = state.socket }: Event): { readonly state: State; readonly effects: readonly Effect[] } {
  const [phase, ...effects] = (socket === state.socket && table[state.phase][type]) || [state.phase]
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
const broken: Row = { ...stop, lost: resume }
const failures: Row = {
  ...broken,
  failed: ['waiting', 'close', 'complain', 'backoff'],
  unauthenticated: ['waiting', 'close', 'complain', 'retrySlowly'],
  refused: ['stopped', 'close', 'complain'],
  copied: ['waiting', 'close', 'fork'],
}
function welcomed(phase: Phase): Row {
  return {
    ...failures,
    due: [phase, 'ping'],
    wanted: [phase, 'talk'],
    applied: ['live', 'recover', 'talk'],
    news: [phase, 'listen', 'take'],
    pong: [phase, 'listen'],
    accepted: resume,
    reload: resume,
    adopt: resume,
    'other-database': resume,
  }
}

const table: Readonly<Record<Phase, Row>> = {
  stopped: { ...stop, start: connect },
  waiting: { ...stop, due: connect, forked: ['waiting', 'backoff'] },
  connecting: { ...broken, opened: ['greeting', 'greet'] },
  greeting: {
    ...failures,
    pong: ['greeting', 'listen'],
    due: ['greeting', 'ping'],
    accepted: ['levelling', 'listen', 'accept', 'talk'],
    reload: ['waiting', 'accept', 'forget', 'close', 'backoff'],
    adopt: ['waiting', 'close', 'drop', 'adopt'],
    'other-database': ['stopped', 'close', 'drop', 'complain'],
    news: resume,
  },
  levelling: welcomed('levelling'),
  // What checksums come to is known a while after the checkpoint that brought them.
  live: { ...welcomed('live'), wanted: ['live', 'recover', 'talk'] },
}
