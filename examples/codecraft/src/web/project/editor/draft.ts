// Invariant: what was typed is written within the delay of the last key, and before the page or the file is left; never later.

export interface Draft {
  get(): string
  subscribe(run: () => void): () => void
  /** Typed by the person. */
  type(text: string): void
  /** What the store holds, after each change of it. Shown unless the person has typed something that is not written yet. */
  follow(text: string): void
  /** Writes now what is not written yet. */
  flush(): void
}

export interface DraftPorts {
  readonly write: (text: string) => void
  /** Runs `run` once after `afterMs`; the answer cancels it. */
  readonly timer: (afterMs: number, run: () => void) => () => void
}

export const writeDelayMs = 400

/** Text between the keyboard and the store. Two devices that type into one file at once: the last write stands. */
export function createDraft(initial: string, { write, timer }: DraftPorts): Draft {
  let text = initial
  let cancel: (() => void) | null = null
  const listeners = new Set<() => void>()
  const show = (next: string) => {
    if (next === text) return
    text = next
    for (const run of listeners) run()
  }
  const flush = () => {
    if (cancel === null) return
    cancel()
    cancel = null
    write(text)
  }
  return {
    get: () => text,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    type: (next) => {
      cancel?.()
      cancel = timer(writeDelayMs, flush)
      show(next)
    },
    follow: (stored) => {
      if (cancel === null) show(stored)
    },
    flush,
  }
}
