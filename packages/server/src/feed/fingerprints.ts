// What the fingerprints of positions are, remembered: a piece of the log between two snapshots does not change, and after a restart of
// a server all its devices come back with the same few cursors.
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import type { Position } from './cursor.ts'
import { fingerprintStatement } from './log.ts'

export interface Fingerprints {
  /** Whether the log has the position's fingerprint. Whoever asks for the same at once waits for one answer. */
  has(transaction: Transaction, position: Position): Promise<boolean>
  /** The past may be another one. */
  forget(): void
}

export function createFingerprints(): Fingerprints {
  const known = new Map<string, Promise<string>>()
  return {
    has: async (transaction, position) => {
      const id = `${position.since.text} ${position.snapshot.text}`
      const found = known.get(id) ?? readFingerprint(transaction, position)
      // The one that was used last goes last.
      known.delete(id)
      known.set(id, found)
      if (known.size > limits.fingerprintsMax) known.delete(known.keys().next().value ?? '')
      found.catch(() => known.delete(id))
      return (await found) === textOf(position)
    },
    forget: () => known.clear(),
  }
}

export async function readFingerprint(transaction: Transaction, { since, snapshot }: Position): Promise<string> {
  const { text, parameters } = fingerprintStatement(since, snapshot)
  const [row] = await transaction.query(text, parameters)
  return textOf({ count: row?.count, sum: row?.sum })
}

export const textOf = ({ count, sum }: { readonly count: unknown; readonly sum: unknown }) => `${count} ${sum}`
