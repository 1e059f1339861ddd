// A device that is started anew and has 100,000 rows on its disk, until it answers its first query and until it hands out all rows. The
// limit is the disk alone: its records, as they come from it.
import { fork } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import { makeProfile, startChromium } from '../../test/contracts/chromium.ts'
import { person } from '../app.ts'
import type { ColdStart } from '../cold-start.ts'
import { withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import type { DexieStart, DexieWrites } from '../dexie-page.ts'
import { type Figure, median } from '../figure.ts'
import type { Frames } from '../page-main.ts'
import { fillSql } from '../server-app.ts'
import { pause, untilLive } from '../wait.ts'
import type { Writes } from '../writes.ts'
import { durableWrites } from './durable-write.ts'

const rows = 100_000
const rounds = 5
/** A device that has loaded writes its log anew, when nobody waits: so long it stays open. */
const untilPackedMs = 5_000
const program = fileURLToPath(new URL('./cold-start-main.mjs', import.meta.url))

/** Each start is a process of its own, in which nothing has been compiled. */
export const coldStartNode = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const server = await bed.startServer()
    const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
    const device = openDevice({ ...server, openDisk: createFileDisks(directory), isPacked: true })
    await untilLive(device)
    await pause(untilPackedMs)
    await device.close()
    const starts: ColdStart[] = []
    for (let round = 0; round < rounds; round++) starts.push(await startNode(directory, server.url))
    await rm(directory, { recursive: true })
    return coldStarts('Node', starts)
  })

function startNode(directory: string, url: string): Promise<ColdStart> {
  const child = fork(program, [directory, url], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return new Promise((resolve, reject) => {
    // Our own program sends nothing else.
    child.on('message', (message) => resolve(message as ColdStart))
    child.on('exit', (code) => reject(new Error(`The device ended with ${code} before it had started.`)))
  })
}

/** In a page of Chromium, opened anew each time; with the durable writes of the same page, because filling it takes the most time. */
export const coldStartChromium = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const scripts = await Promise.all(['page-main', 'dexie-page'].map((name) => readFile(new URL(`./${name}.js`, import.meta.url), 'utf8')))
    const tags = scripts.map((script) => `<script>${script.replaceAll('</script', '<\\/script')}</script>`).join('')
    const page = `<!doctype html><title>bench</title><script>document.cookie = 'user=${person}'</script>${tags}`
    const server = await bed.startServer({ page })
    const profile = await makeProfile()
    const chromium = await startChromium(profile.path, server.url)
    // The page has these as globals: see page-main.ts.
    const call = async <T>(name: string) => {
      const opened = await chromium.newPage()
      const answer = await opened.evaluate((one) => Reflect.get(globalThis, one)(), name)
      await opened.close()
      return answer as T
    }
    const frames = { ...(await call<Pick<Frames, 'loadMs' | 'anewMs'>>('load')), ...(await call<Pick<Frames, 'openMs' | 'idleMs'>>('opening')) }
    const starts: ColdStart[] = []
    for (let round = 0; round <= rounds; round++) starts.push(await call('coldStart'))
    await call('leaveScreen')
    const paints: number[] = []
    const bare: number[] = []
    for (let round = 0; round <= rounds; round++) {
      paints.push(await call('firstPaint'))
      bare.push(await call('noPaint'))
    }
    const writes = await call<Writes>('durableWrites')
    const shown = await call<readonly number[]>('localWrites')
    const bulkMs = await call<number>('bulkInsert')
    const dexie: DexieFound = { fillMs: await call('dexieFill'), starts: [], ...(await call<DexieWrites>('dexieWrites')) }
    for (let round = 0; round <= rounds; round++) dexie.starts.push(await call('dexieStart'))
    await chromium.close()
    await profile.remove()
    const painted = { name: 'first paint in Chromium, 50 rows', unit: 'ms', value: median(paints), limit: median(bare) } as const
    return [
      ...coldStarts('Chromium', starts.slice(1)),
      ...longestTasks(frames),
      painted,
      ...durableWrites('Chromium', writes),
      ...besideDexie({ starts: starts.slice(1), saved: writes.times, shown, bulkMs }, dexie),
    ]
  })

interface DexieFound extends DexieWrites {
  readonly fillMs: number
  readonly starts: DexieStart[]
}
interface Found {
  readonly starts: readonly ColdStart[]
  readonly saved: readonly number[]
  readonly shown: readonly number[]
  readonly bulkMs: number
}

/** Dexie's figures, each beside ours of the same run. */
function besideDexie(ours: Found, { fillMs, starts, saved, shown }: DexieFound): readonly Figure[] {
  const figure = (name: string, value: number, limit: number): Figure => ({ name: `${name}, Dexie`, unit: 'ms', value, limit })
  const started = starts.slice(1)
  return [
    figure('cold start in Chromium, first query', median(started.map(({ firstMs }) => firstMs)), median(ours.starts.map(({ firstMs }) => firstMs))),
    figure('cold start in Chromium, all rows', median(started.map(({ allMs }) => allMs)), median(ours.starts.map(({ allMs }) => allMs))),
    figure('durable write in Chromium, 100k rows held', median(saved), median(ours.saved)),
    figure('local mutation to live query in Chromium, 100k rows held', median(shown), median(ours.shown)),
    figure('bulk insert of 100k rows in Chromium', fillMs, ours.bulkMs),
  ]
}

const longestTasks = ({ loadMs, anewMs, openMs, idleMs }: Frames): readonly Figure[] =>
  Object.entries({ 'first load of 100k rows': loadMs, 'a store of 100k rows written anew': anewMs, 'opening 100k rows': openMs }).map(([name, value]) => ({
    name: `longest task in Chromium, ${name}`,
    unit: 'ms',
    value,
    limit: idleMs,
  }))

const coldStarts = (where: string, starts: readonly ColdStart[]): readonly Figure[] => {
  const limit = median(starts.map(({ rawMs }) => rawMs))
  return [
    { name: `cold start in ${where}, first query`, unit: 'ms', value: median(starts.map(({ firstMs }) => firstMs)), limit },
    { name: `cold start in ${where}, all rows`, unit: 'ms', value: median(starts.map(({ allMs }) => allMs)), limit },
  ]
}
