/** Who wants to hear of something. One that throws is reported and stops nobody. */
export interface Subscribers<A extends readonly unknown[]> {
  /** The answer unsubscribes. */
  readonly add: (run: (...said: A) => void) => () => void
  run(...said: A): void
  readonly isEmpty: () => boolean
}

export function createSubscribers<A extends readonly unknown[] = []>(report: (error: unknown) => void, onEmpty = () => {}): Subscribers<A> {
  // A function may subscribe twice, and unsubscribe once.
  const subscribers = new Set<{ readonly run: (...said: A) => void }>()
  return {
    add: (run) => {
      const subscriber = { run }
      subscribers.add(subscriber)
      return () => {
        if (subscribers.delete(subscriber) && subscribers.size === 0) onEmpty()
      }
    },
    run: (...said) => {
      for (const { run } of [...subscribers]) {
        try {
          run(...said)
        } catch (error) {
          report(error)
        }
      }
    },
    isEmpty: () => subscribers.size === 0,
  }
}
