import { readFile } from 'node:fs/promises'
import type { CDPSession } from 'playwright-core'
import { makeProfile, startChromium } from '../../test/contracts/chromium.ts'
import { person } from '../app.ts'
import { withDatabase } from '../database.ts'
import type { Figure } from '../figure.ts'
import { fillSql } from '../server-app.ts'

const rows = 100_000

/** Processor time of the longest task of a page's main thread, in milliseconds, with and without what the garbage collector took of it. */
interface Longest {
  readonly task: number
  readonly script: number
}

/**
 * What stands in the way of a page's frames while 100,000 rows come, in a page that follows three live queries of all of them: processor time, which a busy machine changes less than
 * the time by the clock, of the longest task. Its limit is a page that takes the same frames apart (`JSON.parse`) and does nothing with them.
 */
export const frames = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const script = await readFile(new URL('./frames-page.js', import.meta.url), 'utf8')
    const page = `<!doctype html><title>bench</title><script>document.cookie = 'user=${person}'</script><script>${script.replaceAll('</script', '<\\/script')}</script>`
    const server = await bed.startServer({ page })
    const sql = bed.connect()
    const figures: Figure[] = []
    for (const isPacked of [false, true]) {
      const profile = await makeProfile()
      const chromium = await startChromium(profile.path, server.url)
      const session = await chromium.browser.newBrowserCDPSession()
      const opened = await chromium.newPage()
      // The page has these as globals: see frames-page.ts.
      const call = (what: string) => opened.evaluate(`frames.${what}`)
      await call('pause(500)')
      const limit = (await longest(session, () => call('parse()'))).script
      const add = async (name: string, what: string) => {
        const { task, script } = await longest(session, () => call(what))
        const where = `${name}, ${isPacked ? 'packed' : 'objects'}`
        figures.push({ name: `longest task, ${where}`, unit: 'ms', value: script, limit })
        figures.push({ name: `the same with the collection of garbage, ${where}`, unit: 'ms', value: task, limit })
      }
      await add('first load of 100k rows', `open(${isPacked})`)
      await add('a store of 100k rows written anew and added up', 'pause(4000)')
      await call('close()')
      await call('cut()')
      await sql.unsafe(`update items set title = 'Changed ' || title`)
      await call(`open(${isPacked})`)
      await add('catch-up of 100k changed rows', 'catchUp()')
      await call('close()')
      await sql.unsafe('update items set title = substr(title, 9)')
      await chromium.close()
      await profile.remove()
    }
    return figures
  })

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  /** Processor time of the thread. */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Of everything that the page's main thread does until `run` is over. */
async function longest(session: CDPSession, run: () => Promise<unknown>): Promise<Longest> {
  const over = new Promise<string>((resolve) => session.once('Tracing.tracingComplete', ({ stream }) => resolve(stream ?? '')))
  await session.send('Tracing.start', {
    traceConfig: { includedCategories: ['toplevel', 'devtools.timeline', 'v8'], excludedCategories: ['*'] },
    transferMode: 'ReturnAsStream',
  })
  // The first task of a trace is its own beginning.
  await new Promise((resolve) => setTimeout(resolve, 200))
  await run()
  await session.send('Tracing.end')
  const { traceEvents } = JSON.parse(await textOf(session, await over)) as { readonly traceEvents: readonly TraceEvent[] }
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`
  const mains = new Set(traceEvents.flatMap((event) => (event.name === 'thread_name' && event.args?.name === 'CrRendererMain' ? [threadOf(event)] : [])))
  const events = traceEvents.filter((event) => event.ph === 'X' && mains.has(threadOf(event)))
  const collections = events.filter(({ name }) => name === 'MinorGC' || name === 'MajorGC')
  const tasks = events.filter(({ name }) => name.endsWith('RunTask'))
  const within = (task: TraceEvent) =>
    collections
      .filter((one) => threadOf(one) === threadOf(task) && one.ts >= task.ts && one.ts < task.ts + (task.dur ?? 0))
      .reduce((sum, { tdur = 0 }) => sum + tdur, 0)
  return {
    task: Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur)) / 1_000,
    script: Math.max(0, ...tasks.map((task) => (task.tdur ?? 0) - within(task))) / 1_000,
  }
}

async function textOf(session: CDPSession, handle: string): Promise<string> {
  const parts: string[] = []
  for (;;) {
    const { data, eof, base64Encoded } = await session.send('IO.read', { handle })
    parts.push(base64Encoded ? Buffer.from(data, 'base64').toString() : data)
    if (eof) return parts.join('')
  }
}
