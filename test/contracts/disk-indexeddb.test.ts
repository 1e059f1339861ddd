import { forceCloseDatabase, IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openIndexedDbDisk } from '../../packages/client/src/disk/indexeddb.ts'
import { diskContract, freshName, sharedDiskContract } from './disk.ts'

const relaxed = { strict: false }

/** Every connection that was opened, so that a test can do to it what a browser does. */
let connections: IDBDatabase[] = []

class WatchedFactory extends IDBFactory {
  override open(name: string, version?: number): ReturnType<IDBFactory['open']> {
    const request = super.open(name, version)
    // The fake's types name its own classes; they have the same members as the browser's.
    request.addEventListener('success', () => connections.push(request.result as unknown as IDBDatabase))
    return request
  }
}

beforeEach(() => {
  connections = []
  Object.assign(globalThis, { indexedDB: new WatchedFactory(), IDBKeyRange })
})
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'indexedDB')
})

/** What the browser does when memory is short or the person clears data: the connection goes, and its transactions with it. */
function loseConnection(): void {
  const connection = connections.at(-1)
  if (connection === undefined) throw new Error('nothing was opened')
  // The watched connection is one of the fake's.
  forceCloseDatabase(connection as never)
}

/** Answers as Chromium does while another process holds the lock of its files; `count` times. Answers how often it did. */
function refuseToOpen(count: number): () => number {
  let refused = 0
  const open = indexedDB.open.bind(indexedDB)
  indexedDB.open = (name, version) => {
    if (refused >= count) return open(name, version)
    refused++
    const request = new EventTarget()
    Object.assign(request, { error: new DOMException('Internal error opening backing store for indexedDB.open.', 'UnknownError') })
    queueMicrotask(() => 'onerror' in request && typeof request.onerror === 'function' && request.onerror())
    // The disk uses no more of a request than is here.
    return request as IDBOpenDBRequest
  }
  return () => refused
}

describe('the disk in IndexedDB, in Node', () => {
  diskContract(openIndexedDbDisk, { examples: 60 })
  sharedDiskContract(openIndexedDbDisk, { examples: 40 })

  test('F7: a connection that the browser closed is opened again, and nothing is lost or doubled', async () => {
    const name = freshName()
    const disk = await openIndexedDbDisk(name)
    await disk.read()
    await disk.append(['a'], relaxed)
    loseConnection()
    await disk.append(['b'], relaxed)
    loseConnection()
    await disk.replace(['s'])
    loseConnection()
    await disk.close()
    expect(await (await openIndexedDbDisk(name)).read()).toEqual(['s'])
    expect(connections.length).toBe(4)
  })

  test('W1: what a browser that was killed still has open is opened when it is let go of; what stays closed is an error', async () => {
    const name = freshName()
    const disk = await openIndexedDbDisk(name)
    await disk.read()
    await disk.append(['a'], relaxed)
    await disk.close()
    const asked = refuseToOpen(2)
    expect(await (await openIndexedDbDisk(name)).read()).toEqual(['a'])
    expect(asked()).toBe(2)
    refuseToOpen(Number.POSITIVE_INFINITY)
    await expect(openIndexedDbDisk(name)).rejects.toMatchObject({ code: 'disk', message: 'IndexedDB: UnknownError' })
  })

  test('F7: a connection lost together with the data is an error: a log never begins in the middle', async () => {
    const name = freshName()
    const disk = await openIndexedDbDisk(name)
    await disk.read()
    await disk.append(['a'], relaxed)
    loseConnection()
    indexedDB.deleteDatabase(name)
    await expect(disk.append(['b'], relaxed)).rejects.toMatchObject({ code: 'disk-behind' })
    await expect(disk.append(['c'], relaxed)).rejects.toMatchObject({ code: 'disk-behind' })
    expect(await (await openIndexedDbDisk(name)).read()).toEqual([])
  })

  test('S7: when another tab wipes the store, this one writes nothing more, and the database is gone', async () => {
    const name = freshName()
    const [one, two] = [await openIndexedDbDisk(name), await openIndexedDbDisk(name)]
    await Promise.all([one.read(), two.read()])
    await one.append(['secret'], relaxed)
    await one.wipe()
    await expect(two.append(['secret of the same person'], relaxed)).rejects.toMatchObject({ code: 'disk-blocked' })
    expect(await indexedDB.databases()).toEqual([])
    await two.wipe()
    await two.append(['new'], relaxed)
    expect(await (await openIndexedDbDisk(name)).read()).toEqual(['new'])
  })

  test('S7: a wipe empties the store even while a frozen tab keeps the database open', async () => {
    const name = freshName()
    const disk = await openIndexedDbDisk(name)
    await disk.read()
    await disk.append(['secret'], relaxed)
    const frozen = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name)
      request.onsuccess = () => resolve(request.result)
    })
    await disk.wipe()
    const left = frozen.transaction('records').objectStore('records').getAll()
    await new Promise((resolve) => {
      left.onsuccess = resolve
    })
    expect(left.result).toEqual([])
    frozen.close()
  })

  test('W1: with any one bit of a record turned, the others are handed out, and in its place that it is missing; to other tabs, too', async () => {
    const name = freshName()
    const [disk, other] = [await openIndexedDbDisk(name), await openIndexedDbDisk(name)]
    await disk.read()
    await disk.append(['first'], relaxed)
    await other.read()
    await disk.append(['second: é'], relaxed)
    await disk.append(['third'], relaxed)
    const [connection] = connections
    const store = (mode: IDBTransactionMode) => connection?.transaction('records', mode).objectStore('records')
    const answerOf = <T>(request?: IDBRequest<T>) =>
      new Promise<T>((resolve) => {
        if (request) request.onsuccess = () => resolve(request.result)
      })
    const [, , key] = await answerOf(store('readonly')?.getAllKeys())
    const [sum, text] = await answerOf<[number, string]>(store('readonly')?.get(key ?? 0))
    const turned = Array.from(text, (_, at) => [sum, text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (at % 16))) + text.slice(at + 1)])
    for (const value of [...turned, [sum ^ 1, text], [sum, ''], [sum, `${text} `]]) {
      await answerOf(store('readwrite')?.put(value, key))
      expect(await (await openIndexedDbDisk(name)).read()).toEqual(['first', '', 'third'])
    }
    expect(await other.news()).toEqual(['', 'third'])
    await disk.append(['fourth'], relaxed)
    expect(await (await openIndexedDbDisk(name)).read()).toEqual(['first', '', 'third', 'fourth'])
  })

  test('F7: where there is no IndexedDB, opening says disk-blocked', async () => {
    Reflect.deleteProperty(globalThis, 'indexedDB')
    await expect(openIndexedDbDisk(freshName())).rejects.toMatchObject({ code: 'disk-blocked' })
    const refusing = {
      open: () => {
        throw new DOMException('not in this mode', 'SecurityError')
      },
    }
    Object.assign(globalThis, { indexedDB: refusing })
    await expect(openIndexedDbDisk(freshName())).rejects.toMatchObject({ code: 'disk-blocked' })
  })

  test('F7: a connection lost at any moment of an append leaves all of it or nothing, and is opened again', async () => {
    for (let turns = 0; turns < 30; turns++) {
      const name = freshName()
      const disk = await openIndexedDbDisk(name)
      await disk.read()
      await disk.append(['a'], relaxed)
      const appending = disk.append(['b', 'c', 'd', 'e'], relaxed)
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      loseConnection()
      const isDone = await appending.then(
        () => true,
        () => false,
      )
      const again = await openIndexedDbDisk(name)
      expect(await again.read()).toEqual(isDone ? ['a', 'b', 'c', 'd', 'e'] : ['a'])
      expect(isDone).toBe(true)
      await again.close()
    }
  })
})
