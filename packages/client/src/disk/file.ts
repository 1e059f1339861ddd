// Invariant: the file is a sequence of whole frames, and perhaps the beginning of one that a crash cut off. It only ever grows, or is
// exchanged as a whole by a rename. Only one disk has it open.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord, OpenDisk } from '../ports.ts'
import { frameOf, readFrames } from './frame.ts'
import { type Lock, takeLock } from './lock.ts'

/**
 * Disks for services on Node: one append-only file per store in `directory`, readable by its owner alone. A store that another process
 * has open is `disk-blocked`; that of a dead process is taken over. A store is read at once: it may hold at most 2 GiB.
 */
export const createFileDisks =
  (directory: string): OpenDisk =>
  async (name) => {
    const path = join(directory, `${fileNameOf(name)}.headwater`)
    return attempt(async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const lock = await takeLock(path)
      const store = createStore(path)
      await store.open().catch(async (error) => {
        await lock.release()
        throw error
      })
      return createDisk(path, store, lock)
    })
  }

/** Every file system takes it, and no two names have the same, upper and lower case not told apart. */
export function fileNameOf(name: string): string {
  const safe = name.replace(/[^a-z0-9-]/g, (unit) => `_${unit.charCodeAt(0).toString(36)}_`)
  // File systems take so much and not more; a longer name keeps its beginning and a sum of all of it.
  return safe.length <= 160 ? safe : `${safe.slice(0, 120)}-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

function createDisk(path: string, store: Store, lock: Lock): Disk {
  let failure: HeadwaterError | null = null
  let closed: HeadwaterError | null = null
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other. */
  const queue = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(() => attempt(work))
    last = done.catch(() => {})
    return done
  }
  const unlessFailed = <T>(work: () => Promise<T>) =>
    queue(() => {
      if (failure) throw failure
      return work()
    })
  const failingForGood = (work: () => Promise<void>) =>
    attempt(work).catch((error: HeadwaterError) => {
      failure = error
      throw error
    })
  const exchange = async (records: readonly DiskRecord[]) => {
    await store.replace(records)
    // From here on the new file is the one that grows. If its name is not durable, a power loss would bring the old one back.
    await failingForGood(() => syncDirectory(path))
  }
  return {
    read: () => unlessFailed(store.read),
    news: () => unlessFailed(async () => []),
    append: (records, { strict }) =>
      unlessFailed(async () => {
        await failingForGood(() => store.append(records, strict))
        return []
      }),
    replace: (records) => unlessFailed(() => exchange(records)),
    wipe: () =>
      queue(async () => {
        const borrowed = closed && (await takeLock(path))
        await store.remove().finally(() => borrowed?.release())
        failure = closed
      }),
    close: () =>
      queue(async () => {
        if (closed) return
        failure = closed = new HeadwaterError('disk', 'The store is closed.')
        await store.close()
        await lock.release()
      }),
  }
}

type Store = ReturnType<typeof createStore>

/** The file of one disk. It is made by the first call that needs it. */
function createStore(path: string) {
  let handle: FileHandle | null = null
  const opened = async () => {
    if (handle === null) {
      handle = await openOwn(path)
      await syncDirectory(path)
    }
    return handle
  }
  const close = async () => {
    await handle?.close()
    handle = null
  }
  return {
    open: async () => {
      // What is left of a replacement that a crash interrupted.
      await rm(newPath(path), { force: true })
      await opened()
    },
    read: async () => {
      const file = await opened()
      const bytes = await readFile(path)
      const { records, end } = readFrames(bytes)
      if (end < bytes.length) {
        await file.truncate(end)
        await file.datasync()
      }
      return records
    },
    append: async (records: readonly DiskRecord[], isStrict: boolean) => {
      const file = await opened()
      if (records.length > 0) await file.appendFile(frameOf(records))
      if (isStrict) await file.datasync()
    },
    replace: async (records: readonly DiskRecord[]) => {
      await opened()
      const fresh = await writeNew(path, records)
      await close()
      handle = fresh
    },
    remove: async () => {
      await close()
      await rm(path, { force: true })
      await rm(newPath(path), { force: true })
      await syncDirectory(path)
    },
    close,
  }
}

const newPath = (path: string) => `${path}.new`
const openOwn = (path: string, flags = 0) => open(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | flags, 0o600)

/** Puts a file with these records in the place of the one at `path`, and answers it open. Fails with the old file as it was. */
async function writeNew(path: string, records: readonly DiskRecord[]): Promise<FileHandle> {
  const file = await openOwn(newPath(path), constants.O_TRUNC)
  try {
    for (const record of records) await file.appendFile(frameOf([record]))
    await file.datasync()
    await rename(newPath(path), path)
    return file
  } catch (error) {
    await file.close()
    await rm(newPath(path), { force: true })
    throw error
  }
}

/** Makes the names in a directory as durable as its files. Windows knows no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(dirname(path), 'r')
  await directory.sync().finally(() => directory.close())
}

const full = { code: 'disk-full', hint: 'Free some space.' }
const blocked = { code: 'disk-blocked', hint: 'Let this process read and write the directory.' }
const codes: Readonly<Record<string, { readonly code: string; readonly hint: string }>> = {
  ENOSPC: full,
  EDQUOT: full,
  EACCES: blocked,
  EPERM: blocked,
  EROFS: blocked,
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof HeadwaterError) throw error
    // Everything the file system throws has a code and a message; what else may come is described as well as it can be.
    const { code = '', message = String(error) } = error as NodeJS.ErrnoException
    const known = Object.hasOwn(codes, code) ? codes[code] : undefined
    throw new HeadwaterError(known?.code ?? 'disk', message, known?.hint ?? 'Look at the disk.', { code })
  }
}
