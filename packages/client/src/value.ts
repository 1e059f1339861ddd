import type { LiveValue } from './api.ts'

/** A value that is read and followed; `set` with an equal one changes nothing and tells nobody. */
export interface SettableValue<T> extends LiveValue<T> {
  set(value: T): void
}

export function createValue<T>(first: T, isSame: (a: T, b: T) => boolean, report: (error: unknown) => void): SettableValue<T> {
  let value = first
  const subscribers = new Set<{ readonly run: () => void }>()
  return {
    get: () => value,
    subscribe: (run) => {
      const subscriber = { run }
      subscribers.add(subscriber)
      return () => void subscribers.delete(subscriber)
    },
    set: (next) => {
      if (isSame(value, next)) return
      value = next
      for (const { run } of [...subscribers]) {
        try {
          run()
        } catch (error) {
          report(error)
        }
      }
    },
  }
}
