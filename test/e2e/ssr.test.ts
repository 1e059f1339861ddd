// What docs/ssr.md shows: Node renders a page with the person's rows in it, Chromium takes it over without a warning and without a row going away, and what happens then arrives.
import { holdersMayWrite } from '@headwater/schema'
import { createServer, type Server, sql } from '@headwater/server'
import { build, createServer as createVite, type ViteDevServer } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Browser, openBrowser } from '../harness/codecraft.ts'
import { native, type OpenedDatabase } from '../harness/databases.ts'
import { schema } from './ssr/schema.ts'

const root = new URL('./ssr', import.meta.url).pathname
const personOf = (headers: Headers) => /(?:^|; )person=(\w+)/.exec(headers.get('cookie') ?? '')?.[1] ?? null
const hostile = '</script><script>globalThis.hacked = 1</script><!--'

let vite: ViteDevServer
let opened: OpenedDatabase
let server: Server
let url: string
let browser: Browser
const insert = (owner: string, title: string) =>
  server.database.query('insert into tasks (id, owner_id, title) values (gen_random_uuid(), $1, $2)', [owner, title])

beforeAll(async () => {
  vite = await createVite({
    root,
    configFile: false,
    appType: 'custom',
    logLevel: 'error',
    server: { middlewareMode: true, ws: false },
    resolve: { conditions: ['@headwater/source', 'module', 'browser', 'development|production'] },
    ssr: {
      resolve: { conditions: ['@headwater/source', 'module', 'node', 'development|production'], externalConditions: ['@headwater/source'] },
      noExternal: [/^@headwater/],
    },
  })
  const { page } = await vite.ssrLoadModule('/server.tsx')
  const script = await scriptOf()
  opened = await native.open()
  server = await createServer({
    schema,
    access: holdersMayWrite(schema),
    database: opened.database,
    authenticate: ({ headers }) => personOf(headers),
    grants: { person: sql`select distinct owner_id as user, owner_id as key, 'owner' as role from tasks` },
  })
  const listening = await server.listen({
    port: 0,
    fetch: async (request) => {
      const person = personOf(request.headers)
      if (new URL(request.url).pathname === '/browser.js') return new Response(script, { headers: { 'content-type': 'text/javascript' } })
      return person === null ? new Response('Who are you?', { status: 401 }) : page(server, person, url)
    },
  })
  url = listening.url
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.close()
  await opened?.close()
  await vite?.close()
})

/** With React's warnings in it. */
async function scriptOf(): Promise<string> {
  const built = await build({
    root,
    configFile: false,
    logLevel: 'error',
    mode: 'development',
    define: { 'process.env.NODE_ENV': '"development"' },
    resolve: { conditions: ['@headwater/source', 'development', 'module', 'browser'] },
    build: { write: false, minify: false, rolldownOptions: { input: `${root}/browser.tsx`, output: { format: 'es', codeSplitting: false } } },
  })
  const [chunk] = [built].flat().flatMap((one) => ('output' in one ? one.output : []))
  return chunk?.type === 'chunk' ? chunk.code : ''
}

test('HC30 S1: rendered with the person’s rows, hydrated as it was, and live from then on', async () => {
  await insert('ada', 'Apples')
  await insert('ada', hostile)
  await insert('grace', 'Secret')
  const sent = await fetch(url, { headers: { cookie: 'person=ada' } })
  const html = await sent.text()
  expect(html).toContain('<li>Apples</li>')
  expect(html).not.toContain('Secret')
  expect(html.match(/<script/g)).toHaveLength(2)
  expect(sent.headers.get('cache-control')).toBe('private, no-store')
  expect(sent.headers.get('vary')).toContain('cookie')
  expect(await (await fetch(url)).text()).toBe('Who are you?')

  const page = browser.page()
  const said: string[] = []
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()))
  page.on('pageerror', (error) => said.push(String(error)))
  // How many rows there are at least, once there are some.
  await page.addInitScript(() => {
    let least = Number.POSITIVE_INFINITY
    const look = () => {
      const { length } = document.querySelectorAll('li')
      if (length > 0 || least < Number.POSITIVE_INFINITY) least = Math.min(least, length)
      Object.assign(globalThis, { least })
    }
    new MutationObserver(look).observe(document, { childList: true, subtree: true })
  })
  const titles = () => page.locator('li').allTextContents()
  await page.context().addCookies([{ name: 'person', value: 'ada', url }])
  await page.goto(url)
  await page.getByText('live', { exact: true }).waitFor()
  expect(await titles()).toEqual([hostile, 'Apples'])
  expect(await page.evaluate(() => [Reflect.get(globalThis, 'least'), Reflect.get(globalThis, 'hacked')])).toEqual([2, undefined])

  await page.getByRole('button').click()
  await page.getByText('Mine').waitFor()
  await insert('ada', 'Pears')
  await page.getByText('Pears').waitFor()
  expect(await titles()).toEqual([hostile, 'Apples', 'Mine', 'Pears'])

  // Again, with a store on the disk that knows more than the page when it is hydrated, and less when it was made.
  await page.goto('about:blank')
  await insert('ada', 'Plums')
  await page.goto(url)
  await page.getByText('live', { exact: true }).waitFor()
  expect(await titles()).toEqual([hostile, 'Apples', 'Mine', 'Pears', 'Plums'])
  expect(await page.evaluate(() => Reflect.get(globalThis, 'least'))).toBe(5)
  expect(said).toEqual([])
})
