// Invariant: a mutation is after another only if it was made later and both wrote the same row, when each last ran on this device.
import type { MutationId } from '@headwater/protocol'
import { rowNames } from '../store/layer.ts'
import type { Entry } from './entry.ts'

/** It is after a refused one, and the server cannot have heard of it: it goes with it. */
export const isLost = ({ mutation, isSent }: Entry): boolean => mutation.after !== null && !isSent

/**
 * Says of each mutation which refused one it is after: one that wrote a row it wrote, or, over any number of steps, one that such a one is itself
 * after. True if one was found, which the disk is to know.
 */
export function markDependants(entries: readonly Entry[], isRefused: (entry: Entry) => boolean): boolean {
  const refusedByRow = new Map<string, MutationId>()
  let isFound = false
  for (const entry of entries) {
    const { mutation } = entry
    const wrote = rowNames(entry.wrote)
    for (const row of wrote) {
      const after = refusedByRow.get(row)
      if (after === undefined) continue
      mutation.after = after
      isFound = true
    }
    if (isRefused(entry) || isLost(entry)) for (const row of wrote) refusedByRow.set(row, mutation.after ?? mutation.id)
  }
  return isFound
}
