import { expect, test } from 'vitest'
import { backoffMsMax, type EventType, type Outcome, type Phase, step } from '../src/sync/machine.ts'

const ignored = null
const stopped: Outcome = ['stopped', 'close']
const resume: Outcome = ['waiting', 'close', 'backoff']
const connect: Outcome = ['connecting', 'connect']

/** The table of packages/protocol/SPEC.md, complete by type: a phase or an event that is added does not compile without its row. */
const table: Record<Phase, Record<EventType, Outcome | null>> = {
  stopped: {
    start: connect,
    stop: stopped,
    wanted: ignored,
    forked: ignored,
    applied: ignored,
    due: ignored,
    opened: ignored,
    lost: ignored,
    accepted: ignored,
    reload: ignored,
    adopt: ignored,
    copied: ignored,
    'other-database': ignored,
    news: ignored,
    pong: ignored,
    failed: ignored,
    unauthenticated: ignored,
    refused: ignored,
  },
  waiting: {
    start: ignored,
    stop: stopped,
    wanted: ignored,
    forked: ['waiting', 'backoff'],
    applied: ignored,
    due: connect,
    opened: ignored,
    lost: ignored,
    accepted: ignored,
    reload: ignored,
    adopt: ignored,
    copied: ignored,
    'other-database': ignored,
    news: ignored,
    pong: ignored,
    failed: ignored,
    unauthenticated: ignored,
    refused: ignored,
  },
  connecting: {
    start: ignored,
    stop: stopped,
    wanted: ignored,
    forked: ignored,
    applied: ignored,
    due: ignored,
    opened: ['greeting', 'greet'],
    lost: resume,
    accepted: ignored,
    reload: ignored,
    adopt: ignored,
    copied: ignored,
    'other-database': ignored,
    news: ignored,
    pong: ignored,
    failed: ignored,
    unauthenticated: ignored,
    refused: ignored,
  },
  greeting: {
    start: ignored,
    stop: stopped,
    wanted: ignored,
    forked: ignored,
    applied: ignored,
    due: ['greeting', 'ping'],
    opened: ignored,
    lost: resume,
    accepted: ['levelling', 'listen', 'accept', 'talk'],
    reload: ['waiting', 'accept', 'forget', 'close', 'backoff'],
    adopt: ['waiting', 'close', 'drop', 'adopt'],
    copied: ['waiting', 'close', 'fork'],
    'other-database': ['stopped', 'close', 'drop', 'complain'],
    news: resume,
    pong: ['greeting', 'listen'],
    failed: ['waiting', 'close', 'complain', 'backoff'],
    unauthenticated: ['waiting', 'close', 'complain', 'retrySlowly'],
    refused: ['stopped', 'close', 'complain'],
  },
  levelling: welcomed('levelling'),
  live: { ...welcomed('live'), wanted: ['live', 'recover', 'talk'] },
}

function welcomed(phase: Phase): Record<EventType, Outcome | null> {
  return {
    start: ignored,
    stop: stopped,
    wanted: [phase, 'talk'],
    forked: ignored,
    applied: ['live', 'recover', 'talk'],
    due: [phase, 'ping'],
    opened: ignored,
    lost: resume,
    accepted: resume,
    reload: resume,
    adopt: resume,
    copied: ['waiting', 'close', 'fork'],
    'other-database': resume,
    news: [phase, 'listen', 'take'],
    pong: [phase, 'listen'],
    failed: ['waiting', 'close', 'complain', 'backoff'],
    unauthenticated: ['waiting', 'close', 'complain', 'retrySlowly'],
    refused: ['stopped', 'close', 'complain'],
  }
}

// Object.keys of a complete record are its keys.
const phases = Object.keys(table) as readonly Phase[]
// The same.
const events = Object.keys(table.live) as readonly EventType[]

test('every phase does with every event what the table says', () => {
  for (const phase of phases) {
    for (const type of events) {
      const outcome = table[phase][type]
      const { state, effects } = step({ phase, attempt: 3, socket: 7 }, { type })
      expect([phase, type, state.phase, ...effects]).toEqual([phase, type, ...(outcome ?? [phase])])
    }
  }
})

test('an event of another socket than the present one changes nothing, in any phase', () => {
  for (const phase of phases) {
    for (const type of events) {
      // Once live there are no attempts any more.
      const state = { phase, attempt: phase === 'live' ? 0 : 3, socket: 7 }
      expect(step(state, { type, socket: 6 })).toEqual({ state, effects: [] })
    }
  }
})

test('a socket that was given up is not the present one any more', () => {
  for (const phase of phases) {
    for (const type of events) {
      const { state, effects } = step({ phase, attempt: 3, socket: 7 }, { type })
      expect(state.socket > 7).toBe(effects.includes('close') || effects.includes('connect'))
    }
  }
})

test('attempts count up until a checkpoint was applied, and the time between them grows by half from one second to thirty', () => {
  let state = step({ phase: 'stopped', attempt: 0, socket: 0 }, { type: 'start' }).state
  for (let attempt = 1; attempt <= 10; attempt++) {
    state = step(state, { type: 'lost' }).state
    expect(state.attempt).toBe(attempt)
    state = step(state, { type: 'due' }).state
  }
  for (const type of ['opened', 'accepted', 'applied'] as const) state = step(state, { type }).state
  expect(state).toMatchObject({ phase: 'live', attempt: 0 })
  expect([1, 2, 3, 7, 8, 9, 2_000].map(backoffMsMax)).toEqual([1_000, 1_500, 2_250, 11_390.625, 17_085.9375, 25_628.90625, 30_000])
})
