// What becomes of a disk that failed: fetched when one does.
import type { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'
import type { JournalDeps } from './journal.ts'

export interface Mended {
  readonly disk: Disk
  /** How many records are on it. */
  readonly count: number
  /** False: the outbox alone, because there was no room for more. */
  readonly hasRows: boolean
}

/** Opens the disk anew and writes everything to it. `count`: how many records are known. Throws why it cannot be had. */
export async function mend(failed: Disk, why: HeadwaterError | null, count: number, deps: JournalDeps): Promise<Mended> {
  await failed.close().catch(() => {})
  // It is another's now.
  if (why?.code.startsWith('disk-b')) throw why
  const disk = await deps.open()
  const write = async (records: readonly DiskRecord[], hasRows: boolean) => {
    await disk.replace(records)
    return { disk, count: records.length, hasRows }
  }
  try {
    // What another has written meanwhile is not ours to replace.
    if ((await disk.read()).length > count) throw why
    // If not everything fits any more, the outbox does.
    return await write(await deps.everything().catch(deps.outbox), true).catch(() => write(deps.outbox(), false))
  } catch (error) {
    // The next attempt opens it, which one that is open keeps it from.
    await disk.close().catch(() => {})
    throw error
  }
}
