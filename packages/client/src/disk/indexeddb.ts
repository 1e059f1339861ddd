// Invariant: records have whole numbers as keys. Those appended count up without a gap, and a record's key never changes; a snapshot, which
// takes the place of the first of them, has the keys up to -1. The last record that was appended has a key for as long as the store is there:
// if it goes, null takes its place. Who looks at the key of the last record that it knows, in the transaction in which it writes, therefore
// finds out whether it knows all (nothing is behind it), what others have appended (what is behind it), or that what it knows was exchanged
// or removed (the key is not there): it never writes a log with a hole, nor into the log of another.
import { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'

/** Runs in a transaction; `fail` undoes and ends it. */
type Work = (store: IDBObjectStore, fail: (error: unknown) => void) => void

const storeName = 'records'
/** Records read at once: a message between the browser's processes has a limit. */
const readMax = 100
/** A log begins where no other began that lay here before, so that nobody takes the one for the other. */
const firstKey = () => Math.ceil(Math.random() * 1e12)

const behindCode = 'disk-behind'
const behind = () => new HeadwaterError(behindCode, 'Another tab wrote.')

/** Opens a disk in IndexedDB: one database per name. Throws `disk-blocked` where the browser allows none, as in some private modes. */
export async function openIndexedDbDisk(name: string): Promise<Disk> {
  // All before this key is known here. null: there was nothing.
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
      failure = new HeadwaterError('disk-blocked', 'This store is closed.', 'Reload the page.')
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
      const { length, 0: last } = keys.result
      if (next === null ? length > 0 : last !== next - 1) return fail(behind())
      if (length === known) return found([])
      const records = store.getAll(IDBKeyRange.lowerBound(next))
      records.onsuccess = () => found(records.result.map(opened))
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

  /** Writes where others have appended nothing that it may not follow, and answers what they have. `added`: how many keys are new. */
  const write = async (
    strict: boolean,
    mayFollow: (missed: readonly DiskRecord[]) => boolean,
    added: number,
    work: (store: IDBObjectStore, at: number) => void,
  ) => {
    let missed: readonly DiskRecord[] = []
    const from = next ?? firstKey()
    await transact(
      (store, fail) =>
        look(store, fail, (found) => {
          missed = found
          if (!mayFollow(found)) return fail(behind())
          if (next === null) store.add(null, from - 1)
          work(store, from + found.length)
        }),
      strict ? 'strict' : 'relaxed',
    )
    next = from + missed.length + added
    return missed
  }
  const anything = () => true
  const isNothing = ({ length }: readonly DiskRecord[]) => !length

  // A browser that was killed has its files open until the last of its processes is gone. Chromium waits two seconds for them each time.
  await queue(() => connect().catch(connect).catch(connect))
  return {
    read: () =>
      unlessFailed(async () => {
        let records: (Sealed | null)[] = []
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
                records.push(...piece.result)
              }
            }
          }
        })
        const last = keys.at(-1)
        next = last === undefined ? null : last + 1
        return records.filter((sealed) => !!sealed).map(opened)
      }),
    news: () => unlessFailed(() => write(false, anything, 0, () => {})),
    append: (records, { strict, mayFollow = anything }) =>
      unlessFailed(() =>
        write(strict, mayFollow, records.length, (store, at) => add(store, records.values(), at)).catch((error) => {
          const failed = failureOf(error)
          if (failed.code !== behindCode) failure = failed
          throw failed
        }),
      ),
    replace: (records, isOther) =>
      unlessFailed(async () => {
        const added = isOther ? 1 : 0
        await write(true, isNothing, added, (store, at) => exchange(store, records, at + added - 1))
      }),
    wipe: () =>
      queue(async () => {
        // Emptied first: the database itself goes when the last tab lets go of it, and one that is frozen need not be waited for.
        await transact((store) => void store.clear(), 'strict').catch(() => {})
        database?.close()
        database = null
        const request = indexedDB.deleteDatabase(name)
        await Promise.race([settled(request), new Promise((resolve) => (request.onblocked = resolve))])
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
    if (!database) return reject(null)
    const transaction = durability ? database.transaction(storeName, 'readwrite', { durability }) : database.transaction(storeName)
    let failure: unknown
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(failure ?? transaction.error)
    work(transaction.objectStore(storeName), (error) => {
      failure = error
      transaction.abort()
    })
  })

function exchange(store: IDBObjectStore, records: readonly DiskRecord[], last: number): void {
  store.clear()
  store.add(null, last)
  add(store, records.values(), -records.length)
}

/** One after the other: all of a store in one task would stop the page for half a second. */
function add(store: IDBObjectStore, records: Iterator<DiskRecord, undefined>, key: number): void {
  const { done, value } = records.next()
  if (!done) store.add([sumOf(value), value], key).onsuccess = () => add(store, records, key + 1)
}

/** A record with its sum. */
type Sealed = readonly [sum: number, record: DiskRecord]

const opened = ([sum, record]: Sealed): DiskRecord => (sumOf(record) === sum ? record : '')

/** Another one for every text in which one character is another, and for all but one in four billion of the others. Reading a megabyte takes a millisecond more. */
function sumOf(record: DiskRecord): number {
  let sum = 0
  for (let i = record.length; i--; ) sum = Math.imul(sum ^ record.charCodeAt(i), 31)
  return sum
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
  if (what === 'QuotaExceededError') return new HeadwaterError('disk-full', 'The disk is full.')
  // Not to be had at all: no IndexedDB (Reference, Type), or none in this mode (the others).
  const isBlocked = /^(Reference|Type|Security|InvalidState|NotAllowed|Version)Error$/.test(what)
  return new HeadwaterError(isBlocked ? 'disk-blocked' : 'disk', `IndexedDB: ${what}`, 'Reload the page.')
}
