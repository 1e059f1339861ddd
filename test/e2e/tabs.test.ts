// Tabs of one person in one Chromium, and somebody else's in another origin of it.
import { holdersMayWrite } from '@headwater/schema'
import { createServer, type Server, sql } from '@headwater/server'
import type { Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BuildName, buildText, type TabBuild } from '../harness/builds.ts'
import { type Browser, openBrowser } from '../harness/codecraft.ts'
import { native, type OpenedDatabase } from '../harness/databases.ts'
import type { Shown } from './tabs/page.ts'
import { schema } from './tabs/schema.ts'

const root = new URL('./tabs', import.meta.url).pathname
const personOf = (headers: Headers) => /(?:^|; )person=(\w+)/.exec(headers.get('cookie') ?? '')?.[1] ?? null
const patience = { timeout: 30_000, interval: 50 }

let opened: OpenedDatabase
let server: Server
let browser: Browser
let url: string
let tabs: Page[] = []
const made: string[] = []
let release = () => {}

beforeAll(async () => {
  const scripts = await scriptsOf()
  opened = await native.open()
  server = await createServer({
    schema,
    access: holdersMayWrite(schema),
    database: opened.database,
    authenticate: ({ headers }) => personOf(headers),
    grants: { board: sql`select person as user, board_id as key, 'member' as role from members` },
  })
  await server.database.query(`insert into members (board_id, person) values ('b1', 'ada'), ('b1', 'grace'), ('b2', 'bob')`, [])
  const listening = await server.listen({ port: 0, fetch: async (request) => answer(scripts, new URL(request.url).pathname) })
  url = listening.url
  browser = await openBrowser()
  for (let n = 0; n < 5; n++) tabs.push(await openTab())
})
afterAll(async () => {
  release()
  await browser?.close()
  await server?.close()
  await opened?.close()
})

async function answer(scripts: ReadonlyMap<string, string>, path: string): Promise<Response> {
  const build = /^\/build\/(\w+)$/.exec(path)?.[1]
  if (build) return new Response(pageOf(build), { headers: { 'content-type': 'text/html' } })
  if (path === '/standing-still') {
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return new Response()
  }
  const script = scripts.get(path.slice(1))
  if (script !== undefined) return new Response(script, { headers: { 'content-type': 'text/javascript' } })
  return new Response('<!doctype html><title>tab</title><script type="module" src="/page.js"></script>', { headers: { 'content-type': 'text/html' } })
}

/** A tab of another build of the app: its client is a global. */
const pageOf = (build: string) => `<!doctype html><title>${build}</title><script type="module">
  import { openTab } from '/${build}.js'
  window.client = openTab({ url: '/', user: 'bob' })
</script>`

async function scriptsOf(): Promise<ReadonlyMap<string, string>> {
  const built = await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@headwater/source', 'production', 'module', 'browser'] },
    build: {
      write: false,
      modulePreload: false,
      target: 'es2022',
      rolldownOptions: { input: `${root}/page.ts`, output: { entryFileNames: 'page.js', chunkFileNames: '[name].js' } },
    },
  })
  const scripts = new Map(
    [built].flat().flatMap((one) => ('output' in one ? one.output : []).flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file.code]] : []))),
  )
  for (const name of ['former', 'present', 'newer'] as const) scripts.set(`${name}.js`, await buildText(name))
  return scripts
}

async function openTab(address = url, person = 'ada'): Promise<Page> {
  const context = browser.page().context()
  await context.addCookies([{ name: 'person', value: person, url: address }])
  const tab = await context.newPage()
  await tab.goto(address)
  await tab.waitForFunction(() => 'tab' in window)
  return tab
}

const shownIn = (tab: Page): Promise<Shown> => tab.evaluate(() => window.tab.shown())
const allShown = () => Promise.all(tabs.map(shownIn))
const idsInDatabase = async () => (await server.database.query(`select id from notes where board_id = 'b1' order by id`, [])).map(({ id }) => String(id))

/** A name for what is about to be made. */
function next(): string {
  const id = `n${100 + made.length}`
  made.push(id)
  return id
}

/** All tabs show what was made, and so does the database; nothing is pending, and one tab is connected. */
async function untilEqual(): Promise<void> {
  await expect
    .poll(async () => (await allShown()).map(({ status, notes }) => [status.phase, status.pending, status.problem, notes.join()]), patience)
    .toEqual(tabs.map(() => ['live', 0, null, made.join()]))
  expect(await idsInDatabase()).toEqual(made)
  await expect.poll(connections, patience).toBe(1)
}
const connections = async () => (await allShown()).reduce((sum, { sockets }) => sum + sockets, 0)

/** The one that has the connection, and the others. */
async function leaderAndOthers(): Promise<readonly [Page, ...Page[]]> {
  const shown = await allShown()
  const leader = tabs.find((_, at) => shown[at]?.sockets === 1)
  if (!leader) throw new Error('Nobody leads.')
  return [leader, ...tabs.filter((tab) => tab !== leader)]
}

test('W3 R4 what is made in each of five tabs, online and offline, is in all of them and in the database once: they are one device', async () => {
  await untilEqual()
  for (const tab of tabs) await tab.evaluate((id) => void window.tab.write(id), next())
  await untilEqual()
  const context = browser.page().context()
  await context.setOffline(true)
  for (const tab of tabs) await tab.evaluate((id) => void window.tab.write(id), next())
  await expect
    .poll(async () => (await allShown()).map(({ status, notes }) => [status.online, status.pending, notes.length]), patience)
    .toEqual(tabs.map(() => [false, 5, 10]))
  await context.setOffline(false)
  await untilEqual()
  expect((await server.database.query('select count(*)::int as count from headwater.devices', []))[0]).toEqual({ count: 1 })
})

test('who is here is told by all tabs of a person as one, and to all of them', async () => {
  const grace = await openTab(url.replace('127.0.0.1', 'localhost'), 'grace')
  const [, follower, other] = await leaderAndOthers()
  await grace.evaluate(() => window.tab.here('grace'))
  await follower?.evaluate(() => window.tab.here('ada, in a tab that follows'))
  await expect.poll(async () => (await shownIn(grace)).others, patience).toEqual(['ada, in a tab that follows'])
  for (const tab of [follower, other]) await expect.poll(async () => tab && (await shownIn(tab)).others, patience).toEqual(['grace'])
  await grace.close()
})

/** A tab of this build, of somebody else: in a browser an origin has its own stores and its own cookies. */
async function openBuild(name: BuildName): Promise<Page> {
  const address = url.replace('127.0.0.1', 'localhost')
  const context = browser.page().context()
  await context.addCookies([{ name: 'person', value: 'bob', url: address }])
  const tab = await context.newPage()
  await tab.goto(`${address}/build/${name}`)
  await tab.waitForFunction(() => 'client' in window)
  return tab
}

declare global {
  interface Window {
    client: ReturnType<TabBuild['openTab']>
  }
}

const saveIn = (tab: Page, id: string) => tab.evaluate((id) => window.client.mutate.notes.insert({ id, boardId: 'b2' }).saved, id)
const stateOf = (tab: Page) =>
  tab.evaluate(() => ({
    notes: window.client.query.notes
      .orderBy('id')
      .all()
      .map(({ id }) => id),
    phase: window.client.status.get().phase,
    pending: window.client.pending.get().length,
    problem: window.client.status.get().problem?.code ?? null,
  }))

test.each([
  ['former', 'present'],
  ['present', 'former'],
  ['present', 'newer'],
] as const)(
  'HC29 a tab of a %s build and one of a %s build: what is made in both, online and offline, reaches the database once, and both show it or say to reload',
  async (first, second) => {
    await server.database.query(`delete from notes where board_id = 'b2'`, [])
    const one = await openBuild(first)
    await saveIn(one, 'm1')
    const level = (notes: readonly string[]) => ({ notes, phase: 'live', pending: 0, problem: null })
    // What a tab keeps beside a newer store is what it has by then.
    await expect.poll(() => stateOf(one), patience).toEqual(level(['m1']))
    const other = await openBuild(second)
    await saveIn(other, 'm2')
    await expect.poll(() => stateOf(other), patience).toEqual(level(['m1', 'm2']))
    if (second === 'newer') await expect.poll(async () => (await stateOf(one)).problem, patience).toBe('reload')
    const context = browser.page().context()
    await context.setOffline(true)
    for (const [tab, id] of [
      [one, 'm3'],
      [other, 'm4'],
    ] as const)
      await saveIn(tab, id)
    await context.setOffline(false)
    const all = ['m1', 'm2', 'm3', 'm4']
    await expect.poll(() => stateOf(other), patience).toEqual(level(all))
    const inDatabase = await server.database.query(`select id from notes where board_id = 'b2' order by id`, [])
    expect(inDatabase.map(({ id }) => id)).toEqual(all)
    if (second === 'newer') {
      const { notes, phase, problem } = await stateOf(one)
      expect([phase, problem]).toEqual(['stopped', 'reload'])
      expect(notes).toEqual(expect.arrayContaining(['m1', 'm3']))
      // One of the older build that is opened now makes nothing, and says the same.
      const late = await openBuild(first)
      await expect.poll(async () => (await stateOf(late)).problem, patience).toBe('store-version')
      await late.close()
    } else await expect.poll(() => stateOf(one), patience).toEqual(level(all))
    await other.evaluate(() => window.client.wipe())
    for (const tab of [one, other]) await tab.close()
  },
)

test('a page on plain http, of a name of its own, keeps what is made over a reload; of two the one that writes later says that it works in memory', async () => {
  const other = await openBrowser({ flags: ['--host-resolver-rules=MAP plain.test 127.0.0.1'] })
  const address = url.replace('127.0.0.1', 'plain.test')
  const open = async () => {
    const context = other.page().context()
    await context.addCookies([{ name: 'person', value: 'bob', url: address }])
    const tab = await context.newPage()
    await tab.goto(`${address}/build/present`)
    await tab.waitForFunction(() => 'client' in window)
    return tab
  }
  await server.database.query(`delete from notes where board_id = 'b2'`, [])
  const one = await open()
  expect(await one.evaluate(() => [isSecureContext, 'locks' in navigator])).toEqual([false, false])
  await saveIn(one, 'h1')
  await expect.poll(() => stateOf(one), patience).toEqual({ notes: ['h1'], phase: 'live', pending: 0, problem: null })
  await other.page().context().setOffline(true)
  await saveIn(one, 'h2')
  await one.close()
  await other.page().context().setOffline(false)
  const two = await open()
  await expect.poll(() => stateOf(two), patience).toEqual({ notes: ['h1', 'h2'], phase: 'live', pending: 0, problem: null })
  const three = await open()
  await expect.poll(async () => (await stateOf(three)).notes, patience).toEqual(['h1', 'h2'])
  const kept = ['h1', 'h2']
  for (const [tab, id] of [
    [two, 'h3'],
    [three, 'h4'],
  ] as const) {
    const write = async (id: string) => {
      const { saved, confirmed } = window.client.mutate.notes.insert({ id, boardId: 'b2' })
      // Whoever works in memory keeps nothing, and what it makes is there when the database has it.
      return saved.then(
        () => true,
        () => Promise.race([confirmed.then(({ type }) => type === 'applied'), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 10_000))]),
      )
    }
    if (await tab.evaluate(write, id)) kept.push(id)
  }
  for (const tab of [two, three]) await expect.poll(async () => (await stateOf(tab)).notes, patience).toEqual(expect.arrayContaining(kept))
  expect([await stateOf(two), await stateOf(three)].map(({ problem }) => problem).sort()).toEqual(['disk-behind', null])
  await other.close()
})

test('F8 a tab that leads and crashes is replaced; what was made meanwhile reaches the database', async () => {
  const [leader, ...others] = await leaderAndOthers()
  const session = await leader.context().newCDPSession(leader)
  // It never answers: there is nobody left to.
  const crashed = leader.waitForEvent('crash')
  void session.send('Page.crash').catch(() => {})
  await crashed
  tabs = others
  const ms = await others[0]?.evaluate((id) => window.tab.write(id), next())
  process.stdout.write(`tabs: a mutation made when the tab that led had crashed is confirmed after ${Math.round(ms ?? 0)} ms\n`)
  await untilEqual()
})

test('F8 R2 a tab that leads and stands still is replaced; when it goes on it follows, and nothing is lost or doubled', async () => {
  const [leader, ...others] = await leaderAndOthers()
  await leader.evaluate(() => window.tab.standStill())
  const ms = await others[0]?.evaluate((id) => window.tab.write(id), next())
  process.stdout.write(`tabs: a mutation made when the tab that led stood still is confirmed after ${Math.round(ms ?? 0)} ms\n`)
  await others[1]?.evaluate((id) => window.tab.write(id), next())
  release()
  await untilEqual()
  await leader.evaluate((id) => window.tab.write(id), next())
  await untilEqual()
  expect((await shownIn(leader)).sockets).toBe(0)
})

test('W1 HC28 what is made in a tab that follows, in the task in which it is left, is taken over once', async () => {
  const [, follower] = await leaderAndOthers()
  await follower?.evaluate((id) => window.tab.leaveWith(id), next())
  await follower?.waitForURL('about:blank')
  tabs = tabs.filter((tab) => tab !== follower)
  await untilEqual()
  // It is removed once the disk has what it says, which may be a moment after that is shown.
  await expect.poll(() => tabs[0]?.evaluate(() => Object.keys(localStorage)), patience).toEqual([])
})

test('F15 a tab that cannot fetch what tabs have to do with each other works alone, in memory, and says so', async () => {
  const tab = await browser.page().context().newPage()
  await tab.route('**/tabs.js', (route) => route.abort())
  await tab.goto(url)
  await tab.waitForFunction(() => 'tab' in window)
  await expect.poll(async () => (await shownIn(tab)).notes, patience).toEqual(made)
  expect((await shownIn(tab)).status).toMatchObject({ phase: 'live', problem: { code: 'disk-blocked' } })
  await tab.evaluate((id) => window.tab.write(id), next())
  await tab.close()
  await untilEqual()
})

test('S7 who signs out in one tab has signed out in all of them, and nothing is left', async () => {
  const [leader, follower, ...others] = await leaderAndOthers()
  await follower?.evaluate(() => window.tab.wipe())
  tabs = [leader, ...others]
  await expect
    .poll(async () => (await allShown()).map(({ status, notes, sockets }) => [status.problem?.code, notes, sockets]), patience)
    .toEqual(tabs.map(() => ['closed', [], 0]))
  const left = () => leader.evaluate(async () => [(await indexedDB.databases()).length, Object.keys(localStorage).length])
  await expect.poll(left, patience).toEqual([0, 0])
})

test.runIf(process.env.HEADWATER_LONG)('100,000 rows come to one tab, and to five that are opened at once', { timeout: 300_000 }, async () => {
  await server.database.query(`insert into notes (id, board_id) select 'row ' || i, 'b1' from generate_series(1, 100000) i`, [])
  for (const count of [1, 5]) {
    const startMs = performance.now()
    const opened = await Promise.all(Array.from({ length: count }, () => openTab()))
    const isThere = () => window.tab.shown().status.phase === 'live' && window.tab.shown().notes.length > 100_000
    await Promise.all(opened.map((tab) => tab.waitForFunction(isThere, undefined, { timeout: 120_000, polling: 200 })))
    const loadMs = performance.now() - startMs
    const savedMs: number[] = []
    for (let n = 0; n < 50; n++) savedMs.push((await opened.at(-1)?.evaluate((id) => window.tab.save(id), next())) ?? 0)
    const median = savedMs.toSorted((a, b) => a - b)[25] ?? 0
    process.stdout.write(`tabs: 100,000 rows are in ${count} after ${Math.round(loadMs)} ms, and a mutation is saved after ${median.toFixed(1)} ms (median)\n`)
    await opened[0]?.evaluate(() => window.tab.wipe())
    for (const tab of opened) await tab.close()
  }
})
