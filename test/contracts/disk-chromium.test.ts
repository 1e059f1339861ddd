import { randomBytes } from 'node:crypto'
import { HeadwaterError } from '@headwater/protocol'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Disk, OpenDisk } from '../../packages/client/src/ports.ts'
import { type Chromium, makeProfile, serveDiskPage, startChromium } from './chromium.ts'
import { diskContract, freshName, sharedDiskContract } from './disk.ts'

/** What the page has as globals. */
declare const openIndexedDbDisk: OpenDisk

const relaxed = { strict: false }
let server: Awaited<ReturnType<typeof serveDiskPage>>
let profile: Awaited<ReturnType<typeof makeProfile>>
let chromium: Chromium
let page: Page

beforeAll(async () => {
  server = await serveDiskPage()
  profile = await makeProfile()
  chromium = await startChromium(profile.path, server.url)
  page = await chromium.newPage()
})
afterAll(async () => {
  await chromium?.kill()
  await server?.close()
  await profile?.remove()
})

let opened = 0

/** A disk in a page, as a Disk here: calls go to the page in the order they are made. */
async function openIn(tab: Page, name: string): Promise<Disk> {
  const id = ++opened
  await inPage(tab, 'open', { id, name })
  return {
    // The page answers what the method of the same name answers.
    read: async () => (await inPage(tab, 'read', { id })) as readonly string[],
    news: async () => (await inPage(tab, 'news', { id })) as readonly string[],
    append: async (records, { strict, mayFollow }) => {
      // The page cannot ask a function that is here: it answers as the only one does that a suite passes.
      const isFenced = mayFollow !== undefined
      return (await inPage(tab, 'append', { id, records: [...records].map(armour), strict, isFenced })) as readonly string[]
    },
    replace: async (records, isOther = false) => void (await inPage(tab, 'replace', { id, records: [...records].map(armour), isOther })),
    wipe: async () => void (await inPage(tab, 'wipe', { id })),
    close: async () => void (await inPage(tab, 'close', { id })),
  }
}

type Method = 'open' | 'read' | 'news' | 'append' | 'replace' | 'wipe' | 'close'
interface Call {
  readonly id: number
  readonly name?: string
  readonly records?: readonly string[]
  readonly strict?: boolean
  readonly isFenced?: boolean
  readonly isOther?: boolean
}
interface Answer {
  readonly records?: readonly string[] | undefined
  readonly failure?: { readonly code: string; readonly message: string }
}

/** As JSON, whose escapes carry lone surrogates unharmed over the browser's debugging pipe. */
const armour = (record: string) => JSON.stringify(record)

async function inPage(tab: Page, method: Method, call: Call): Promise<unknown> {
  const { failure, records } = await tab.evaluate(runInPage, { method, call })
  if (failure) throw new HeadwaterError(failure.code, failure.message)
  return records?.map((record) => JSON.parse(record))
}

/** Runs in the page, so it can use nothing of this file. */
async function runInPage({ method, call }: { readonly method: Method; readonly call: Call }): Promise<Answer> {
  const scope = globalThis as typeof globalThis & { disks?: Map<number, Disk> }
  scope.disks ??= new Map()
  const records = (call.records ?? []).map((record) => JSON.parse(record) as string)
  try {
    const disk = scope.disks.get(call.id)
    if (method === 'open') scope.disks.set(call.id, await openIndexedDbDisk(call.name ?? ''))
    if (method === 'read') return { records: (await disk?.read())?.map((record) => JSON.stringify(record)) }
    if (method === 'news') return { records: (await disk?.news())?.map((record) => JSON.stringify(record)) }
    if (method === 'append') {
      const mayFollow = (missed: readonly string[]) => !(call.isFenced && missed.includes('leader 2'))
      const missed = await disk?.append(records, { strict: call.strict ?? false, mayFollow })
      return { records: missed?.map((record) => JSON.stringify(record)) }
    }
    if (method === 'replace') await disk?.replace(records, call.isOther)
    if (method === 'wipe') await disk?.wipe()
    if (method === 'close') await disk?.close()
    return {}
  } catch (error) {
    // A HeadwaterError of the page, which is another class than the one here.
    const { code = 'unknown', message } = error as { readonly code?: string; readonly message: string }
    return { failure: { code, message } }
  }
}

describe('the disk in IndexedDB, in Chromium', () => {
  diskContract((name) => openIn(page, name), { examples: 12 })
  let tabs: readonly Page[] = []
  beforeAll(async () => {
    tabs = [page, await chromium.newPage(), await chromium.newPage()]
  })
  // Each that opens is another tab, in turns.
  sharedDiskContract((name) => openIn(tabs[opened % tabs.length] ?? page, name), { examples: 6 })

  test('W1 [web]: what was reported done survives kill -9 of the browser', async () => {
    const name = freshName()
    const disk = await openIn(page, name)
    await disk.read()
    const done: string[] = []
    for (let i = 0; i < 40; i++) {
      await disk.append([`${i}/1`, `${i}/2`], { strict: i % 2 === 0 })
      done.push(`${i}/1`, `${i}/2`)
    }
    void disk.append(['not awaited 1', 'not awaited 2'], relaxed).catch(() => {})
    await chromium.kill()
    chromium = await startChromium(profile.path, server.url)
    page = await chromium.newPage()
    const records = await (await openIn(page, name)).read()
    expect(records.slice(0, done.length)).toEqual(done)
    expect([0, 2]).toContain(records.length - done.length)
  })

  test('S7 [web]: when one tab wipes the store, the other writes nothing more, and the database is gone', async () => {
    const name = freshName()
    const tab = await chromium.newPage()
    const [one, two] = [await openIn(page, name), await openIn(tab, name)]
    await one.read()
    await two.read()
    await one.append(['secret'], relaxed)
    await one.wipe()
    await expect(two.append(['secret'], relaxed)).rejects.toMatchObject({ code: 'disk-blocked' })
    await tab.close()
    expect(await page.evaluate(async () => (await indexedDB.databases()).map((one) => one.name))).not.toContain(name)
  })

  test('F7 [web]: a full disk says disk-full, what was saved before stays, and appends after it fail', async () => {
    // An origin of its own: Chromium remembers for a while how much room an origin has.
    const origin = new URL(server.url).origin.replace('127.0.0.1', 'localhost')
    const tab = await chromium.context.newPage()
    const session = await chromium.context.newCDPSession(tab)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 })
    await tab.goto(origin)
    const name = freshName()
    const disk = await openIn(tab, name)
    await disk.read()
    await disk.append(['saved'], relaxed)
    // Noise: the browser compresses what it stores.
    await expect(disk.append([randomBytes(6_000_000).toString('base64')], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    await expect(disk.append(['after the hole'], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    await disk.close()
    expect(await (await openIn(tab, name)).read()).toEqual(['saved'])
    await tab.close()
  })

  test('W1 [web]: a record that was damaged is told from the others, which are handed out', async () => {
    const name = freshName()
    const disk = await openIn(page, name)
    await disk.read()
    for (const record of ['first', 'second', 'third']) await disk.append([record], relaxed)
    await disk.close()
    await page.evaluate(async (name) => {
      const answerOf = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve) => {
          request.onsuccess = () => resolve(request.result)
        })
      const database = await answerOf(indexedDB.open(name))
      const store = database.transaction('records', 'readwrite').objectStore('records')
      const [, , key = 0] = await answerOf(store.getAllKeys())
      const [sum, text] = await answerOf<[number, string]>(store.get(key))
      await answerOf(store.put([sum, text.replace('o', 'p')], key))
      database.close()
    }, name)
    expect(await (await openIn(page, name)).read()).toEqual(['first', '', 'third'])
  })

  test('F7 [web]: when the person clears the data, the next append is an error, and no log begins in the middle', async () => {
    const name = freshName()
    const tab = await chromium.newPage()
    const disk = await openIn(tab, name)
    await disk.read()
    await disk.append(['a'], relaxed)
    const session = await chromium.context.newCDPSession(tab)
    await session.send('Storage.clearDataForOrigin', { origin: new URL(server.url).origin, storageTypes: 'indexeddb' })
    await expect(disk.append(['b'], relaxed)).rejects.toMatchObject({ code: expect.stringMatching(/^disk/) })
    await expect(disk.append(['c'], relaxed)).rejects.toMatchObject({ code: expect.stringMatching(/^disk/) })
    expect(await (await openIn(tab, name)).read()).toEqual([])
    await tab.close()
  })
})
