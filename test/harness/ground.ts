// What two browsers stand on: servers in processes of their own, and a proxy in front of each browser.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { type AppProcess, buildPages, openBrowser, servePages, signIn, startApp } from './codecraft.ts'
import { type Native, startNative } from './native.ts'
import { type SilentProxy, startSilentProxy } from './silent-proxy.ts'

export interface Ground {
  readonly native: Native | null
  readonly data: string
  readonly apps: AppProcess[]
  readonly proxies: SilentProxy[]
  /** From then on only the pages are there, as from a cache. */
  stopApp(index: number, signal?: 'SIGKILL'): Promise<void>
  restartApp(index: number): Promise<void>
  close(): Promise<void>
}

/** One server for both browsers on PGlite; two on native, each behind a proxy of its own. */
async function prepareGround(kind: 'embedded' | 'native'): Promise<Ground> {
  const data = await mkdtemp(join(tmpdir(), 'hw-e2e-'))
  const native = kind === 'native' ? await startNative() : null
  const database = native?.url(await native.createDatabase()) ?? null
  const apps = [await startApp({ data: join(data, '1'), database })]
  if (native) apps.push(await startApp({ data: join(data, '2'), database }))
  const proxies = await Promise.all(['one', 'other'].map((_, i) => startSilentProxy((apps[i] ?? apps[0])?.port ?? 0)))
  const pages = await servePages()
  // With one server, both browsers are on it.
  const proxiesOf = (index: number) => (native ? proxies.slice(index, index + 1) : proxies)
  return {
    native,
    data,
    apps,
    proxies,
    stopApp: async (index, signal) => {
      await apps[index]?.kill(signal ?? 'SIGTERM')
      for (const proxy of proxiesOf(index)) proxy.target(pages.port)
    },
    restartApp: async (index) => {
      apps[index] = await startApp({ data: join(data, String(index + 1)), database, port: apps[index]?.port ?? 0 })
      for (const proxy of proxiesOf(index)) proxy.target(apps[index]?.port ?? 0)
    },
    close: async () => {
      await pages.close()
      await Promise.all(apps.map((app) => app.kill('SIGTERM')))
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await native?.stop()
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** Types a line into psql, as a person would. */
export function psql(url: string, line: string): string {
  const ran = spawnSync('psql', [url, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', line], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`psql: ${ran.error ?? ran.stderr}`)
  return ran.stdout.trim()
}

/** Makes a project the way a person does; answers whether it was there before the next frame was drawn. */
export async function createProject(page: Page, title: string): Promise<boolean> {
  await page.getByTestId('new-project').click()
  await page.getByTestId('new-title').fill(title)
  const wasShown = await page.evaluate(async (wanted) => {
    const button = document.querySelector<HTMLButtonElement>('[data-testid=create]')
    const shown = () => [...document.querySelectorAll('[data-testid=project-title]')].some((one) => one.textContent === wanted)
    const frame = new Promise<boolean>((resolve) => requestAnimationFrame(() => resolve(shown())))
    button?.click()
    return frame
  }, title)
  // The app opens what was made; back to all of them.
  await page.goBack()
  await page.getByTestId('new-project').waitFor()
  return wasShown
}

export const untilTitled = (page: Page, title: string) => page.getByTestId('project-title').getByText(title, { exact: true }).waitFor()

/** `plain`: upgrades are refused on the way, so that all goes by plain HTTP. */
export type Road = 'socket' | 'plain'

/** Two browsers, each behind a proxy of its own, signed in and level; of the same person unless said otherwise. */
export async function openTwo(kind: 'embedded' | 'native', road: Road = 'socket', people: readonly [string, string] = ['ada', 'ada']) {
  buildPages()
  const ground = await prepareGround(kind)
  if (road === 'plain') for (const proxy of ground.proxies) proxy.refuseUpgrades(400)
  const browsers = [await openBrowser(), await openBrowser()] as const
  for (const [i, browser] of browsers.entries()) await signIn(browser.page(), ground.proxies[i]?.url ?? '', people[i] ?? 'ada')
  const close = async () => {
    for (const browser of browsers) await browser.close()
    await ground.close()
  }
  return { ground, one: browsers[0], other: browsers[1], close }
}
