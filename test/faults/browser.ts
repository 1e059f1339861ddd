// W1 in a real Chromium: what was reported as saved outlives kill -9 of the browser with all its processes, and is applied once.

import { fileURLToPath } from 'node:url'
import { holdersMayWrite } from '@headwater/schema'
import { createServer, openPostgres, sql } from '@headwater/server'
import { build } from 'esbuild'
import { type Chromium, makeProfile, startChromium } from '../contracts/chromium.ts'
import { startNative } from '../harness/native.ts'
import { counters, mutators, schema } from './app.ts'
import type { Cycles } from './cycle.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export async function startBrowserCycles(chance: () => number): Promise<Cycles> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    conditions: ['@headwater/source'],
  })
  const html = `<!doctype html><title>faults</title><script>${outputFiles[0]?.text.replaceAll('</script', '<\\/script')}</script>`
  const native = await startNative({ durable: false })
  const url = native.url(await native.createDatabase())
  const database = await openPostgres(url)
  await database.execute(`create table people (id text primary key); insert into people values ('ada')`)
  const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }
  const server = await createServer({ schema, access: holdersMayWrite(schema), mutators, grants, database, authenticate: () => 'ada' })
  await database.query(`insert into counters (id, owner_id) values ($1::text::uuid, 'ada')`, [counters[0] ?? ''])
  const page = () => new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8' } })
  const listening = await server.listen({ port: 0, fetch: page })
  const profile = await makeProfile()
  const saved: string[] = []
  let [made, confirmedBefore] = [0, 0]

  async function open(): Promise<{ readonly chromium: Chromium; readonly page: Awaited<ReturnType<Chromium['newPage']>> }> {
    const chromium = await startChromium(profile.path, listening.url)
    await chromium.context.exposeFunction('saved', (what: string) => void saved.push(what))
    return { chromium, page: await chromium.newPage() }
  }
  let opened = await open()

  /** The outbox is empty: what the browser had on its disk is with the server. */
  async function settle(): Promise<void> {
    await opened.page.waitForFunction(() => window.pending() === 0, undefined, { timeout: 60_000 })
  }

  async function run(): Promise<readonly string[]> {
    // It goes on writing: its end is not waited for.
    await opened.page.evaluate(() => void window.write())
    const enough = saved.length + 1 + chance() * 60
    while (saved.length < enough) await pause(5)
    await pause(chance() * 50)
    made += await opened.page.evaluate(() => window.made())
    await opened.chromium.kill()
    confirmedBefore = saved.length
    opened = await open()
    await settle()
    const ids = new Set((await database.query('select id::text as id from notes')).map(({ id }) => `note ${String(id)}`))
    const missing = saved.filter((what) => what !== 'count' && !ids.has(what)).length
    const [row] = await database.query(`select n, (select count(*) from headwater.mutations where outcome = 'refused')::int as refused,
      (select count(*) from headwater.mutations where name = 'count')::int as counts, (select count(*) from headwater.mutations where name <> 'count')::int as notes from counters`)
    const wrong: string[] = []
    if (missing > 0) {
      const devices = await database.query('select id, last_number::text as last from headwater.devices order by 1')
      // More than one device: the browser, or the client, began with an empty store.
      wrong.push(`${missing} that were saved are not there; devices: ${JSON.stringify(devices)}; the page: ${await opened.page.evaluate(() => window.state())}`)
    }
    if (Number(row?.refused) > 0) wrong.push(`${row?.refused} were refused, as what is sent twice would be`)
    if (Number(row?.n) !== Number(row?.counts) || Number(row?.n) < saved.filter((what) => what === 'count').length)
      wrong.push(`counted ${row?.n} of ${row?.counts}`)
    if (ids.size !== Number(row?.notes)) wrong.push(`${ids.size} notes by ${row?.notes} mutations`)
    return wrong
  }

  return {
    run,
    counts: () => ({ made, confirmedBefore }),
    close: async () => {
      await opened.chromium.kill()
      await server.close()
      await native.stop()
      await profile.remove()
    },
  }
}
