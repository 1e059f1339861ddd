// Invariant: records have whole numbers as keys. Those appended count up without a gap, and a record's key never changes; a snapshot, which
// takes the place of the first of them, has the keys up to -1. The last record that was appended has a key for as long as the store is there:
// if it goes, null takes its place. Who looks at the key of the last record that it knows, in the transaction in which it writes, therefore
// finds out whether it knows all (nothing is behind it), what others have appended (what is behind it), or that what it knows was exchanged
// or removed (the key is not there): it never writes a log with a hole, nor into the log of another.
import { HeadwaterError } from '@headwater/protocol'
import { type Disk, type DiskRecord, isBehind } from '../ports.ts'

/** Runs in a transaction; `fail` undoes and ends it. */
type Work = (store: IDBObjectStore, fail: (error: unknown) => void) => void

const storeName = 'records'
/** Records read at once: a message between the browser's processes has a limit. */
const readMax = 100
/** A log begins where no other began that lay here before, so that nobody takes the one for the other. */
const firstKey = () => Math.floor(Math.random() * 2 ** 40) + 1

const behind = () => new HeadwaterError('disk-behind', 'Another tab has written this store.', 'Reload the page.')

/** Opens a disk in IndexedDB: one database per name. Throws `disk-blocked` where the browser allows none, as in some private modes. */
export async function openIndexedDbDisk(name: string): Promise<Disk> {
  // What is known here: the keys from -snapshot to -1, and from `tail` to before `next`. null: there was nothing.
  let snapshot = 0
  let tail = 0
  let next: number | null = null
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
  /** The browser may have closed the connection (memory is short, data were removed by hand): then it is opened once more. */
  const transact = async (work: Work, durability?: IDBTransactionDurability): Promise<void> => {
    try {
      await attempt(database, work, durability)
    } catch (error) {
      // The two names, and null, of a connection that was closed: nothing of the transaction was carried out.
      if (error && !/^(InvalidState|Abort)E/.test(nameOf(error))) throw error
      await connect()
      await attempt(database, work, durability)
    }
  }
  /** Hands over what others have appended. */
  const look = (store: IDBObjectStore, fail: (error: unknown) => void, found: (missed: readonly DiskRecord[]) => void) => {
    const known = next === null ? 0 : 1
    const keys = store.getAllKeys(next === null ? null : IDBKeyRange.lowerBound(next - 1))
    keys.onsuccess = () => {
      const { length, [0]: last } = keys.result
      if (next === null ? length > 0 : last !== next - 1) return fail(behind())
      if (length === known) return found([])
      const records = store.getAll(IDBKeyRange.lowerBound(next))
      records.onsuccess = () => found(records.result)
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

  /** Writes a log that nobody else knows the end of. */
  const begin = async (records: readonly DiskRecord[]) => {
    const last = next ?? firstKey()
    await transact((store, fail) => {
      look(store, fail, (found) => {
        if (found.length > 0) return fail(behind())
        store.clear()
        store.add(null, last)
        add(store, records, -records.length)
      })
    }, 'strict')
    snapshot = records.length
    tail = next = last + 1
  }

  await queue(connect)
  return {
    read: () =>
      unlessFailed(async () => {
        let records: (DiskRecord | null)[] = []
        let keys: readonly number[] = []
        await transact((store) => {
          records = []
          const request = store.getAllKeys()
          request.onsuccess = () => {
            // Only this file writes keys, and it writes numbers.
            keys = request.result as number[]
            for (let i = 0; i < keys.length; i += readMax) {
              const piece = store.getAll(IDBKeyRange.bound(keys[i], keys[Math.min(i + readMax, keys.length) - 1]))
              piece.onsuccess = () => {
                for (const record of piece.result) records.push(record)
              }
            }
          }
        })
        snapshot = keys.filter((key) => key < 0).length
        const last = keys.at(-1)
        next = last === undefined ? null : last + 1
        const kept = records.filter((record) => record !== null)
        tail = (next ?? 0) - (kept.length - snapshot)
        return kept
      }),
    news: () =>
      unlessFailed(async () => {
        let missed: readonly DiskRecord[] = []
        await transact((store, fail) => look(store, fail, (found) => (missed = found)))
        if (missed.length > 0) next = (next ?? 0) + missed.length
        return missed
      }),
    append: (records, { strict, mayFollow = () => true }) =>
      unlessFailed(async () => {
        let missed: readonly DiskRecord[] = []
        const from = next ?? firstKey()
        const write: Work = (store, fail) =>
          look(store, fail, (found) => {
            missed = found
            if (!mayFollow(found)) fail(behind())
            else add(store, records, from + found.length)
          })
        await transact(write, strict ? 'strict' : 'relaxed').catch((error) => {
          const failed = failureOf(error)
          if (!isBehind(failed)) failure = failed
          throw failed
        })
        if (next === null && records.length > 0) tail = from
        if (next !== null || records.length > 0) next = from + missed.length + records.length
        return missed
      }),
    replace: (count, records) =>
      unlessFailed(async () => {
        if (next === null) return begin(records)
        const from = count - snapshot + (count < snapshot ? 0 : tail)
        await transact((store, fail) => {
          look(store, fail, (found) => {
            if (found.length > 0) return fail(behind())
            store.delete(IDBKeyRange.upperBound(from, true))
            if (from >= 0) store.put(null, from - 1)
            add(store, records, Math.min(from, 0) - records.length)
          })
        }, 'strict')
        snapshot = records.length - Math.min(from, 0)
        tail = Math.max(from, tail)
      }),
    restart: (records) => unlessFailed(() => begin(records)),
    wipe: () =>
      queue(async () => {
        // Emptied first: the database itself goes when the last tab lets go of it, and one that is frozen need not be waited for.
        await transact((store) => void store.clear(), 'strict').catch(() => {})
        database?.close()
        database = null
        const request = indexedDB.deleteDatabase(name)
        await Promise.race([settled(request), new Promise((resolve) => (request.onblocked = resolve))])
        snapshot = tail = 0
        next = null
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
const attempt = (database: IDBDatabase | null, work: Work, durability?: IDBTransactionDurability) =>
  new Promise<void>((resolve, reject) => {
    if (!database) throw new DOMException('', 'InvalidStateError')
    const transaction = durability ? database.transaction(storeName, 'readwrite', { durability }) : database.transaction(storeName)
    let failure: unknown
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(failure ?? transaction.error)
    work(transaction.objectStore(storeName), (error) => {
      failure = error
      transaction.abort()
    })
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
  // Not to be had at all: no IndexedDB (Reference, Type), or none in this mode (the others).
  const isBlocked = /^(Reference|Type|Security|InvalidState|NotAllowed|Version)Error$/.test(what)
  return new HeadwaterError(isBlocked ? 'disk-blocked' : 'disk', `IndexedDB: ${what}`, 'Reload the page.')
}
