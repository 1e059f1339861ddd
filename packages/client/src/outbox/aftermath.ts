// What a refusal or a loss entails. Few devices ever meet one: it is a chunk that is fetched then.
//
// Invariant: a mutation is after another only if it was made later and both wrote the same row, when each last ran on this device.
import { type DeviceId, HeadwaterError, type MutationId, type Welcome } from '@headwater/protocol'
import type { Mutators } from '@headwater/schema'
import type { Edited, PendingMutation, SetAside, Upgrade } from '../api.ts'
import { rowNames } from '../store/layer.ts'
import { type Made, type OutboxRecord, setAsideOf } from '../store/record.ts'
import { type Entry, voidName } from './entry.ts'
import type { Heard } from './heard.ts'
import type { Outbox } from './outbox.ts'

/** It is after a refused one, and the server cannot have heard of it: it goes with it. */
const isLost = ({ number, after }: Made): boolean => after !== null && number === 0

/**
 * Finds which mutations are after a refused one: those that wrote a row it wrote, or, over any number of steps, one that such a one is itself after.
 * Answers what the disk is to know of them, or null if there are none.
 */
export function dependantsOf(entries: readonly Pick<Entry, 'mutation' | 'wrote'>[], isRefused: (mutation: Made) => boolean): OutboxRecord | null {
  const refusedByRow = new Map<string, MutationId>()
  const found = new Set<Made>()
  for (const { mutation, wrote } of entries) {
    const rows = rowNames(wrote)
    for (const row of rows) {
      const after = refusedByRow.get(row)
      if (after === undefined) continue
      mutation.after = after
      found.add(mutation)
    }
    if (isRefused(mutation) || isLost(mutation)) for (const row of rows) refusedByRow.set(row, mutation.after ?? mutation.id)
  }
  const made = [...found]
  return made.length > 0 ? { made: made.filter((one) => !isLost(one)), setAside: made.filter(isLost).map((one) => setAsideOf(one, lost)) } : null
}

/** What builds on a refused mutation goes with it when the disk says so: until then it may be given up. */
export async function setAside(...[entries, isRefused, decide]: [...Parameters<typeof dependantsOf>, (record: OutboxRecord) => Promise<void>]): Promise<void> {
  const record = dependantsOf(entries, isRefused)
  if (record) await decide(record)
}

const lost = { code: 'dependency', reason: 'What it builds on was refused.' }

/** What the outbox of another device is made of: everything that has a number, behind what the database has lost of what was confirmed and wants again. */
export function forkOf(heard: Heard, mutators: Mutators, device: DeviceId, isForgotten: boolean, welcome?: Welcome): OutboxRecord {
  const identity = heard.identity()
  const forked = { ...identity, device, nonce: null, confirmed: 0, database: isForgotten ? null : identity.database }
  return { forked, ...(welcome?.offer != null && lostOf(heard.past.made, welcome, mutators)) }
}

/** What the database has lost of what was confirmed: what to offer again, and what is for the person to decide. */
function lostOf(past: readonly Made[], { offer, last }: Welcome, mutators: Mutators): OutboxRecord {
  const setAside: SetAside[] = []
  const made = past.filter((one) => {
    if (one.number <= last) return false
    if (offer && !mutators[one.name]?.once) return true
    if (one.name !== voidName) setAside.push(setAsideOf(one, { code: 'lost', reason: 'It was lost.' }))
    return false
  })
  return { made, setAside }
}

/** Tries a mutation again that was set aside, and what builds on it behind it. */
export async function retry(
  outbox: Pick<Outbox, 'make' | 'setAside'>,
  upgrade: Upgrade | undefined,
  id: MutationId,
  edited?: Edited,
): Promise<PendingMutation> {
  const again = (one: SetAside, edited = upgrade?.(one)) => {
    const { name, args } = { ...one, ...edited }
    return outbox.make(name, () => args, one)
  }
  const one = outbox.setAside().find((refused) => refused.id === id)
  if (one === undefined) throw new HeadwaterError('absent', `${id} is not set aside.`)
  const first = again(one, edited)
  await first.saved
  // They are in the order they were made.
  for (const next of outbox.setAside()) if (next.after === id) again(next)
  return first
}
