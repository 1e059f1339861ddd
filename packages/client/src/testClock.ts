import type { Clock } from './ports.ts'

/** A clock for tests: it stands still until it is moved. */
export interface TestClock extends Clock {
  /** Moves time on by `ms`, running what falls due, in order. */
  advance(ms: number): Promise<void>
  /** Moves time on as for a device that sleeps: what falls due meanwhile runs with the next `advance`, late. */
  sleep(ms: number): void
}

export function createTestClock(startMs: number = Date.UTC(2026, 0, 1)): TestClock {
  const timers = new Map<number, { readonly atMs: number; readonly run: () => void }>()
  let nowMs = startMs
  let count = 0

  /** The first that falls due until then, and of those at once the one that was set first. */
  function nextBefore(endMs: number) {
    let first: readonly [number, { readonly atMs: number; readonly run: () => void }] | undefined
    // They are in the order in which they were set.
    for (const entry of timers) if (entry[1].atMs <= endMs && (first === undefined || entry[1].atMs < first[1].atMs)) first = entry
    return first
  }

  return {
    now: () => nowMs,
    timer: (afterMs, run) => {
      const id = ++count
      timers.set(id, { atMs: nowMs + Math.max(0, afterMs), run })
      return () => void timers.delete(id)
    },
    sleep: (ms) => {
      nowMs += ms
    },
    advance: async (ms) => {
      const endMs = nowMs + ms
      for (;;) {
        await breathe()
        const due = nextBefore(endMs)
        if (due === undefined) break
        const [id, { atMs, run }] = due
        timers.delete(id)
        nowMs = Math.max(nowMs, atMs)
        run()
      }
      nowMs = endMs
      await breathe()
    },
  }
}

/** Lets microtasks, and what they start, run out. */
export const breathe = () => new Promise<void>((resolve) => setImmediate(resolve))
