// What this tab has written and the database has not decided yet, in words; and what the device itself would not take.
import type { MutationState, PendingMutation } from '@headwater/client'

export interface Waiting {
  readonly id: string
  /** What it does, as the person would say it: `Rename “Invoice reader”`. */
  readonly label: string
  readonly state: MutationState
}

export interface Notice {
  readonly id: string
  readonly title: string
  readonly reason: string
}

export interface WritesState {
  readonly waiting: readonly Waiting[]
  /** Writes that were refused before they were queued, or could not be saved: nothing of them is kept. */
  readonly notices: readonly Notice[]
}

export interface Writes {
  get(): WritesState
  subscribe(run: () => void): () => void
  /** Follows a mutation to its end. */
  track(label: string, mutation: PendingMutation): void
  dismiss(noticeId: string): void
}

const noticesMax = 3

export function createWrites(): Writes {
  let state: WritesState = { waiting: [], notices: [] }
  const listeners = new Set<() => void>()
  const set = (changed: Partial<WritesState>) => {
    state = { ...state, ...changed }
    for (const run of listeners) run()
  }
  const without = (id: string) => state.waiting.filter((one) => one.id !== id)

  return {
    get: () => state,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    track: (label, mutation) => {
      const { id } = mutation
      set({ waiting: [...state.waiting, { id, label, state: mutation.state() }] })
      mutation.saved.then(
        () => set({ waiting: state.waiting.map((one) => (one.id === id ? { ...one, state: mutation.state() } : one)) }),
        (error: unknown) => {
          const notice = { id, title: label, reason: error instanceof Error ? error.message : String(error) }
          set({ waiting: without(id), notices: [...state.notices, notice].slice(-noticesMax) })
        },
      )
      void mutation.confirmed.then(() => set({ waiting: without(id) }))
    },
    dismiss: (noticeId) => set({ notices: state.notices.filter((notice) => notice.id !== noticeId) }),
  }
}
