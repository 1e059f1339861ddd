// Invariant: the keys in the database are whole numbers without a gap, in the order of the records, and a record's key never changes.
// A tab that lost touch (another tab wrote, the browser removed the data) meets a key that is taken or a count that differs, and fails:
// it never writes a log with a hole, nor into the log of another.
import { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'

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
  const connection = createConnection(name, () => {
    failure = new HeadwaterError('disk-blocked', 'The store was removed in another tab.', 'Reload the page.')
  })
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
  const write = (durability: IDBTransactionDurability, work: (store: IDBObjectStore) => void) =>
    connection.transact(work, next - first, 'readwrite', durability)

  await queue(connection.open)
  return {
    read: () =>
      unlessFailed(async () => {
        const found = await readAll(connection)
        first = found.first
        next = first + found.records.length
        return found.records
      }),
    append: (records, { strict }) =>
      unlessFailed(async () => {
        await write(strict ? 'strict' : 'relaxed', (store) => add(store, records, next)).catch((error) => {
          failure = failureOf(error)
          throw failure
        })
        next += records.length
      }),
    replace: (count, records) =>
      unlessFailed(async () => {
        const from = first + count - records.length
        await write('strict', (store) => {
          // Fails if another tab has appended: what it wrote is not known here.
          store.add('', next)
          store.delete(next)
          if (count > 0) store.delete(IDBKeyRange.bound(first, first + count - 1))
          add(store, records, from)
        })
        first = from
      }),
    wipe: () =>
      queue(async () => {
        // Emptied first: removing the database may have to wait for a tab that does not answer.
        const isEmpty = await write('strict', (store) => store.clear()).then(
          () => true,
          () => false,
        )
        await connection.remove(isEmpty)
        first = next = 0
        failure = closed
      }),
    close: () =>
      queue(async () => {
        connection.close()
        failure = closed = new HeadwaterError('disk', 'The store is closed.')
      }),
  }
}

type Connection = ReturnType<typeof createConnection>

/** The one connection of a disk. The browser may close it (memory is short, data were removed by hand): then it is opened once more. */
function createConnection(name: string, onRemoved: () => void) {
  let database: IDBDatabase | null = null
  const open = async () => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(storeName)
    const opened = await settled(request)
    opened.onversionchange = () => {
      opened.close()
      onRemoved()
    }
    database = opened
  }
  const attempt = <T>(work: (store: IDBObjectStore) => T, mode?: IDBTransactionMode, durability?: IDBTransactionDurability) =>
    new Promise<T>((resolve, reject) => {
      if (!database) throw new DOMException('', 'InvalidStateError')
      const transaction = database.transaction(storeName, mode, durability && { durability })
      const result = work(transaction.objectStore(storeName))
      transaction.oncomplete = () => resolve(result)
      transaction.onabort = () => reject(transaction.error)
    })
  return {
    open,
    /** `held`: how many records there must be if the connection has to be opened again; null: not known yet. */
    transact: async <T>(
      work: (store: IDBObjectStore) => T,
      held: number | null,
      mode?: IDBTransactionMode,
      durability?: IDBTransactionDurability,
    ): Promise<T> => {
      try {
        return await attempt(work, mode, durability)
      } catch (error) {
        // The two names, and null, of a connection that was closed: nothing of the transaction was carried out.
        if (error && !/^(InvalidState|Abort)Error$/.test(nameOf(error))) throw error
        await open()
        if (held !== null && (await attempt((store) => store.count())).result !== held) throw error
        return attempt(work, mode, durability)
      }
    },
    close: () => database?.close(),
    /** `isEmpty`: a tab that keeps the database open need not be waited for. */
    remove: async (isEmpty: boolean) => {
      database?.close()
      database = null
      const request = indexedDB.deleteDatabase(name)
      await (isEmpty ? Promise.race([settled(request), new Promise((resolve) => (request.onblocked = resolve))]) : settled(request))
    },
  }
}

async function readAll({ transact }: Connection): Promise<{ readonly first: number; readonly records: readonly DiskRecord[] }> {
  const keys = (await transact((store) => store.getAllKeys(null, 1), null)).result
  // Only this file writes keys, and it writes numbers.
  const first = (keys[0] as number | undefined) ?? 0
  const records: DiskRecord[] = []
  for (let read = readMax; read === readMax; ) {
    const from = IDBKeyRange.lowerBound(first + records.length)
    const piece: readonly DiskRecord[] = (await transact((store) => store.getAll(from, readMax), null)).result
    for (const record of piece) records.push(record)
    read = piece.length
  }
  return { first, records }
}

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
  if (what === 'QuotaExceededError') return new HeadwaterError('disk-full', 'The browser has no room for this store.', 'Free some space on the device.')
  // Taken by another tab (Constraint), or not to be had at all: no IndexedDB (Reference, Type), or none in this mode (the others).
  const isBlocked = /^(Constraint|Reference|Type|Security|InvalidState|NotAllowed|Version)Error$/.test(what)
  return new HeadwaterError(isBlocked ? 'disk-blocked' : 'disk', `IndexedDB: ${what}`, 'Reload the page; private windows may keep nothing.')
}
