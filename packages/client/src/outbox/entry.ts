import { asError, type HeadwaterError, type Json, type Mutation, type MutationId } from '@headwater/protocol'
import type { MutationState, Outcome, PendingMutation, SetAside } from '../api.ts'

/** A mutation on its way from being made to being confirmed. */
export interface Entry {
  readonly id: MutationId
  name: string
  args: Json
  readonly at: string
  /** The refused mutation that this one tries again. */
  readonly retried: SetAside | null
  /** null until it has run once and stands in line. */
  number: number | null
  /** True once it was sent, as far as is known: from then on its number changes only with the device, and its payload only to a void. */
  isSent: boolean
  /** True once the disk has answered, either way: from then on it may be sent. */
  isWritten: boolean
  /** What the app holds. */
  readonly pending: PendingMutation
  save(error: HeadwaterError | null): void
  sent(): void
  confirm(outcome: Outcome): void
}

type Made = Pick<Entry, 'id' | 'name' | 'args' | 'at'>

/** The name of what takes the place of a discarded mutation that may have been sent: it does nothing, and is refused with this code. */
export const voidName = 'void'

export interface EntryOwner {
  readonly discard: (id: MutationId) => Promise<void>
  readonly onSent: () => void
}

/** With a number it comes from the disk. */
export function createEntry({ id, name, args, at }: Made, number: number | null, { discard, onSent }: EntryOwner, retried: SetAside | null = null): Entry {
  let state: MutationState = 'made'
  const saved = withResolvers<void>()
  const confirmed = withResolvers<Outcome>()
  // Nothing needs to be awaited: an app that does not ask whether it was saved must not die of an unhandled rejection.
  saved.promise.catch(() => {})
  const entry: Entry = {
    id,
    name,
    args,
    at,
    retried,
    number,
    isSent: number !== null,
    isWritten: number !== null,
    pending: { id, name, args, at, state: () => state, saved: saved.promise, confirmed: confirmed.promise, discard: () => discard(id) },
    save: (error) => {
      if (error) saved.reject(error)
      else saved.resolve()
      if (state === 'made' && !error) state = 'saved'
    },
    sent: () => {
      state = 'sent'
      entry.isSent = true
      onSent()
    },
    confirm: (outcome) => {
      state = 'confirmed'
      confirmed.resolve(outcome)
    },
  }
  if (number !== null) entry.save(null)
  return entry
}

/** As it travels, once it stands in line. */
export const wireOf = ({ number, id, name, args, at }: Entry): Mutation => ({ number: number ?? 0, id, name, args, at })

/** What a thrown error is to the person: `refuse(code, reason)` says it itself. */
export function refusalOf(thrown: unknown): { readonly error: HeadwaterError; readonly outcome: Outcome } {
  const error = asError(thrown, 'mutator-failed')
  const { code, message, details } = error
  return { error, outcome: { type: 'refused', code: code === 'refused' ? String(details.code) : code, reason: message } }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((done, failed) => {
    resolve = done
    reject = failed
  })
  return { promise, resolve, reject }
}
