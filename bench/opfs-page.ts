// What a disk in the origin's private file system would be made of, beside IndexedDB: reading a store back, and appending a record for good. On the page's own thread there are
// only writers that copy the file; handles that append to it are for workers, and each of their answers is a message away.

const recordCharacters = 250
const appends = 100

export interface OpfsFound {
  /** Until the text of the store is there, in milliseconds. */
  readonly read: { readonly database: number; readonly file: number; readonly worker: number }
  /** Of each record, until it is flushed. */
  readonly append: { readonly database: readonly number[]; readonly file: readonly number[]; readonly worker: readonly number[] }
}

/** Runs in a worker: opens the file, then answers each message, an empty one by the whole text. */
const program = `
  let handle
  onmessage = async ({ data }) => {
    if (!handle) {
      const folder = await navigator.storage.getDirectory()
      handle = await (await folder.getFileHandle('worker', { create: true })).createSyncAccessHandle()
      handle.write(new TextEncoder().encode(data))
      handle.flush()
      return postMessage('')
    }
    if (data) {
      handle.write(new TextEncoder().encode(data), { at: handle.getSize() })
      handle.flush()
      return postMessage('')
    }
    const bytes = new Uint8Array(handle.getSize())
    handle.read(bytes, { at: 0 })
    postMessage(new TextDecoder().decode(bytes))
  }`

async function opfs(megabytes: number): Promise<OpfsFound> {
  const piece = 'x'.repeat(500_000)
  const pieces = Array.from({ length: megabytes * 2 }, () => piece)
  const record = 'y'.repeat(recordCharacters)
  const database = await createDatabase(pieces)
  const file = await createFile(pieces.join(''))
  const worker = await createWorker(pieces.join(''))
  const read = { database: await timed(database.read), file: await timed(file.read), worker: await timed(worker.read) }
  const append: { readonly [Name in keyof OpfsFound['append']]: number[] } = { database: [], file: [], worker: [] }
  // In turns, so that a slow moment of the machine is everybody's.
  for (let round = 0; round < appends; round++) {
    append.database.push(await timed(() => database.append(record)))
    append.file.push(await timed(() => file.append(record)))
    append.worker.push(await timed(() => worker.append(record)))
  }
  return { read, append }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function createDatabase(pieces: readonly string[]) {
  const opening = indexedDB.open('opfs', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('records', { autoIncrement: true })
  const opened = await answerOf(opening)
  const within = (mode: IDBTransactionMode, work: (store: IDBObjectStore) => void) =>
    new Promise<void>((resolve, reject) => {
      const transaction = opened.transaction('records', mode, { durability: 'strict' })
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error)
      work(transaction.objectStore('records'))
    })
  await within('readwrite', (store) => {
    for (const one of pieces) store.add(one)
  })
  return {
    append: (text: string) => within('readwrite', (store) => store.add(text)),
    read: () => answerOf(opened.transaction('records').objectStore('records').getAll()),
  }
}

async function createFile(text: string) {
  const folder = await navigator.storage.getDirectory()
  const handle = await folder.getFileHandle('page', { create: true })
  const write = async (one: string, position: number) => {
    const writer = await handle.createWritable({ keepExistingData: true })
    await writer.write({ type: 'write', data: one, position })
    await writer.close()
  }
  let size = text.length
  await write(text, 0)
  return {
    append: async (one: string) => {
      await write(one, size)
      size += one.length
    },
    read: async () => (await handle.getFile()).text(),
  }
}

async function createWorker(text: string) {
  const worker = new Worker(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })))
  const ask = (one: string) =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.postMessage(one)
    })
  await ask(text)
  return { append: ask, read: () => ask('') }
}

const answerOf = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

Object.assign(globalThis, { opfs })
