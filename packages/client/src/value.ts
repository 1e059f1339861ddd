import { equalJson } from '@headwater/schema'
import type { LiveValue } from './api.ts'
import { createSubscribers } from './store/subscribers.ts'

/** A value that is read and followed; `set` with an equal one changes nothing and tells nobody. */
export interface SettableValue<T> extends LiveValue<T> {
  set(value: T): void
}

export function createValue<T>(first: T, report: (error: unknown) => void): SettableValue<T> {
  let value = first
  const subscribers = createSubscribers(report)
  return {
    get: () => value,
    subscribe: subscribers.add,
    set: (next) => {
      if (equalJson(value, next)) return
      value = next
      subscribers.run()
    },
  }
}
