// Invariant: what was typed is written within the delay of the last key, and before the page or the file is left; never later. It is written with the text
// that it was made from, so that the mutator can merge it.
import { mergeText } from '../../../merge.ts'

export interface Draft {
  get(): string
  subscribe(run: () => void): () => void
  /** Typed by the person. */
  type(text: string): void
  /** What the store holds, after each change of it. What is not written yet is merged with it; where that cannot be, it is shown as it was typed until it is written. */
  follow(text: string): void
  /** Writes now what is not written yet. */
  flush(): void
}

export interface DraftPorts {
  /** `base`: what `text` was made from. */
  readonly write: (base: string, text: string) => void
  /** Runs `run` once after `afterMs`; the answer cancels it. */
  readonly timer: (afterMs: number, run: () => void) => () => void
}

export const writeDelayMs = 400

/** Text between the keyboard and the store. */
export function createDraft(initial: string, { write, timer }: DraftPorts): Draft {
  let stored = initial
  let base = initial
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
    const from = base
    base = text
    if (from !== text) write(from, text)
    // It could not be merged and becomes a copy: the file is as others left it.
    if (from !== stored) {
      base = stored
      show(stored)
    }
  }
  return {
    get: () => text,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    type: (next) => {
      if (next === text) return
      cancel?.()
      cancel = timer(writeDelayMs, flush)
      show(next)
    },
    follow: (next) => {
      stored = next
      const merged = cancel === null ? next : mergeText(base, next, text)
      if (merged === null) return
      base = next
      show(merged)
    },
    flush,
  }
}
