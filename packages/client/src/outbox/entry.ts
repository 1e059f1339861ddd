import { asError, type HeadwaterError, type MutationId } from '@headwater/protocol'
import type { MutationState, Outcome, PendingMutation, SetAside } from '../api.ts'
import type { Layer } from '../store/layer.ts'
import type { Made } from '../store/record.ts'

/** A mutation on its way from being made to being confirmed. */
export interface Entry {
  /** What the records say of it is said of this object. */
  readonly mutation: Made
  /** The refused mutation that this one tries again. */
  readonly retried: SetAside | null
  /** True once it has run: from then on the server decides. */
  isQueued: boolean
  /** True once the disk has answered, either way: from then on it may be sent, and what becomes of it is what the records say. */
  isWritten: boolean
  /** The rows of its last run that succeeded on this device. */
  wrote: Layer
  /** What its last run looked at, whether it succeeded or not. */
  reads: readonly string[]
  /** What the app holds. */
  readonly pending: PendingMutation
  save(error: HeadwaterError | null): void
  sent(): void
  confirm(outcome: Outcome): void
}

/** The name of what takes the place of a discarded mutation that may have been sent: it does nothing, and is refused with this code. */
export const voidName = 'void'

export const isVoid = ({ mutation }: Entry): boolean => mutation.name === voidName

export interface EntryOwner {
  readonly discard: (id: MutationId) => Promise<void>
  readonly onSent: () => void
}

/** `isRestored`: it comes from the disk. */
export function createEntry(mutation: Made, isRestored: boolean, { discard, onSent }: EntryOwner, retried: SetAside | null = null): Entry {
  let state: MutationState = 'made'
  const saved = createLater<void>()
  const confirmed = createLater<Outcome>()
  const { id, name, args, at } = mutation
  const entry: Entry = {
    mutation,
    retried,
    isQueued: isRestored,
    isWritten: isRestored,
    wrote: new Map(),
    reads: [],
    pending: {
      id,
      name,
      args,
      at,
      state: () => state,
      get saved() {
        return saved.promise()
      },
      get confirmed() {
        return confirmed.promise()
      },
      discard: () => discard(id),
    },
    save: (error) => {
      saved.settle(() => {
        if (error) throw error
      })
      if (error) return
      if (state === 'made') state = 'saved'
    },
    sent: () => {
      state = 'sent'
      onSent()
    },
    confirm: (outcome) => {
      state = 'confirmed'
      confirmed.settle(() => outcome)
    },
  }
  if (isRestored) entry.save(null)
  return entry
}

/** What a thrown error is to the person: `refuse(code, reason)` says it itself. */
export function refusalOf(thrown: unknown): { readonly error: HeadwaterError; readonly outcome: Outcome } {
  const error = asError(thrown, 'mutator-failed')
  const { code, message, details } = error
  return { error, outcome: { type: 'refused', code: code === 'refused' ? String(details.code) : code, reason: message } }
}

/** What settles once. Its promise is made when first asked for: of most mutations nobody asks. */
function createLater<T>() {
  let answer: (() => T) | undefined
  let tell = () => {}
  let promise: Promise<T> | undefined
  return {
    settle: (next: () => T) => {
      answer ??= next
      tell()
    },
    promise: () => {
      promise ??= new Promise((resolve, reject) => {
        tell = () => {
          try {
            if (answer) resolve(answer())
          } catch (error) {
            reject(error)
          }
        }
        tell()
      })
      // Nothing needs to be awaited: an app that does not ask whether it was saved must not die of an unhandled rejection.
      promise.catch(() => {})
      return promise
    },
  }
}
