// Invariant: the keys in the database are whole numbers without a gap, in the order of the records, and a record's key never changes.
// A tab that lost touch (another tab wrote, the browser removed the data) meets a key that is taken or a count that differs, and fails:
// it never writes a log with a hole, nor into the log of another.
import { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'

type Work<T> = (store: IDBObjectStore) => T

const storeName = 'records'
/** Records read at once: a message between the browser's processes has a limit. */
const readMax = 100

/** Opens a disk in IndexedDB: one database per name. Throws `disk-blocked` where the browser allows none, as in some private modes. */
export async function openIndexedDbDisk(name: string): Promise<Disk> {
  // The keys are those from `first` to before `next`.
  let first = 0
  let next = 0
  let failure: HeadwaterError | null = null
  let closed: HeadwaterError | null = null
  let last: Promise<unknown> = Promise.resolve()
  let database: IDBDatabase | null = null

  const connect = async () => {
    const request = indexedDB.open(name)
    request.onupgradeneeded = () => request.result.createObjectStore(storeName)
    const opened = await settled(request)
    opened.onversionchange = () => {
      opened.close()
      failure = new HeadwaterError('disk-blocked', 'This store was removed in another tab.', 'Reload the page.')
    }
    database = opened
  }
  /** The browser may have closed the connection (memory is short, data were removed by hand): then it is opened once more, if all is there. */
  const transact = async <T>(work: Work<T>, durability?: IDBTransactionDurability): Promise<T> => {
    try {
      return await attempt(database, work, durability)
    } catch (error) {
      // The two names, and null, of a connection that was closed: nothing of the transaction was carried out.
      if (error && !/^(InvalidState|Abort)E/.test(nameOf(error))) throw error
      await connect()
      if ((await attempt(database, (store) => store.count())).result !== next - first) throw error
      return attempt(database, work, durability)
    }
  }
  /** One after the other. */
  const queue = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work).catch((error) => {
      throw failureOf(error)
    })
    last = done.catch(() => {})
    return done
  }
  const unlessFailed = <T>(work: () => Promise<T>) =>
    queue(() => {
      if (failure) throw failure
      return work()
    })

  await queue(connect)
  return {
    read: () =>
      unlessFailed(async () => {
        const records: DiskRecord[] = []
        const [key] = (await transact((store) => store.getAllKeys(null, 1))).result
        // Only this file writes keys, and it writes numbers.
        const from = (key as number | undefined) ?? 0
        for (let piece: readonly DiskRecord[] | null = null; piece?.length !== 0; ) {
          const range = IDBKeyRange.lowerBound(from + records.length)
          piece = (await attempt(database, (store): IDBRequest<DiskRecord[]> => store.getAll(range, readMax))).result
          for (const record of piece) records.push(record)
        }
        first = from
        next = from + records.length
        return records
      }),
    append: (records, { strict }) =>
      unlessFailed(async () => {
        await transact((store) => add(store, records, next), strict ? 'strict' : 'relaxed').catch((error) => {
          failure = failureOf(error)
          throw failure
        })
        next += records.length
      }),
    replace: (count, records) =>
      unlessFailed(async () => {
        const from = first + count - records.length
        await transact((store) => {
          // Fails if another tab has appended: what it wrote is not known here.
          store.add('', next)
          store.delete(next)
          if (count > 0) store.delete(IDBKeyRange.bound(first, first + count - 1))
          add(store, records, from)
        }, 'strict')
        first = from
      }),
    wipe: () =>
      queue(async () => {
        // Emptied first: the database itself goes when the last tab lets go of it, and one that is frozen need not be waited for.
        await transact((store) => store.clear(), 'strict').catch(() => {})
        database?.close()
        database = null
        const request = indexedDB.deleteDatabase(name)
        await Promise.race([settled(request), new Promise((resolve) => (request.onblocked = resolve))])
        first = next = 0
        failure = closed
      }),
    close: () =>
      queue(async () => {
        database?.close()
        failure = closed = new HeadwaterError('disk', 'This store is closed.')
      }),
  }
}

/** Without a durability, only reads. */
const attempt = <T>(database: IDBDatabase | null, work: Work<T>, durability?: IDBTransactionDurability) =>
  new Promise<T>((resolve, reject) => {
    if (!database) throw new DOMException('', 'InvalidStateError')
    const transaction = durability ? database.transaction(storeName, 'readwrite', { durability }) : database.transaction(storeName)
    const result = work(transaction.objectStore(storeName))
    transaction.oncomplete = () => resolve(result)
    transaction.onabort = () => reject(transaction.error)
  })

function add(store: IDBObjectStore, records: readonly DiskRecord[], from: number): void {
  for (let i = 0; i < records.length; i++) store.add(records[i], from + i)
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

const nameOf = (error: unknown) => (error instanceof Error ? error.name : 'closed')

function failureOf(error: unknown): HeadwaterError {
  if (error instanceof HeadwaterError) return error
  const what = nameOf(error)
  if (what === 'QuotaExceededError') return new HeadwaterError('disk-full', 'There is no room for this store.', 'Free some space.')
  // Taken by another tab (Constraint), or not to be had at all: no IndexedDB (Reference, Type), or none in this mode (the others).
  const isBlocked = /^(Constraint|Reference|Type|Security|InvalidState|NotAllowed|Version)Error$/.test(what)
  return new HeadwaterError(isBlocked ? 'disk-blocked' : 'disk', `IndexedDB: ${what}`, 'Reload the page.')
}
