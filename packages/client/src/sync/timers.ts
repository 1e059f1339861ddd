import type { Clock } from '../ports.ts'

export type TimerName = 'retry' | 'silence' | 'ping'

/** One timer of each name: setting one again puts it off. */
export interface Timers {
  set(name: TimerName, afterMs: number): void
  cancel(): void
}

export function createTimers(clock: Clock, onDue: (name: TimerName) => void): Timers {
  const running = new Map<TimerName, () => void>()
  return {
    set: (name, afterMs) => {
      running.get(name)?.()
      running.set(
        name,
        clock.timer(afterMs, () => onDue(name)),
      )
    },
    cancel: () => {
      for (const cancel of running.values()) cancel()
    },
  }
}
