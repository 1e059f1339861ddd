// A real Chromium on a profile of its own, with the disk's code in its pages. It is started as a process of ours, so that a test can kill it.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const executables = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

export interface Chromium {
  readonly browser: Browser
  readonly context: BrowserContext
  /** A page of the server's origin. */
  newPage(): Promise<Page>
  /** SIGKILL to the browser and all its processes: no handler runs, nothing is flushed. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** Starts Chromium on a profile directory; the same directory again is the same person's browser. `url`: where its pages begin. */
export async function startChromium(profile: string, url: string): Promise<Chromium> {
  const executable = executables.find((path) => existsSync(path))
  if (executable === undefined) throw new Error('There is no Chromium. Install it (Debian: apt-get install chromium), or say where it is in CHROMIUM.')
  const flags = ['--headless=new', '--no-sandbox', ...quiet, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(executable, flags, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const browser = await chromium.connectOverCDP(await endpointOf(child))
  const [context] = browser.contexts()
  if (context === undefined) throw new Error('Chromium has no default context.')
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async () => {
    // The whole group: Chromium writes to its disk in a process of its own. `detached` made the child the group's leader.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    await gone
    await browser.close()
  }
  return {
    browser,
    context,
    newPage: async () => {
      const page = await context.newPage()
      await page.goto(url)
      return page
    },
    kill,
    close: async () => {
      const session = await browser.newBrowserCDPSession()
      await session.send('Browser.close').catch(() => {})
      await gone
    },
  }
}

async function endpointOf(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error('Chromium was started without a pipe for its errors.')
  const said: string[] = []
  for await (const line of createInterface(child.stderr)) {
    const found = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1]
    if (found !== undefined) {
      // Nobody reads the rest, and a full pipe would stop the browser.
      child.stderr.resume()
      return found
    }
    said.push(line)
  }
  throw new Error(`Chromium did not start: ${said.join('\n')}`)
}

/** Serves one page that has `openIndexedDbDisk` as a global. IndexedDB belongs to an origin, so there must be a server. */
export async function serveDiskPage(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const built = await build({
    stdin: {
      contents: "import { openIndexedDbDisk } from './indexeddb.ts'\nObject.assign(globalThis, { openIndexedDbDisk })",
      resolveDir: 'packages/client/src/disk',
    },
    bundle: true,
    write: false,
    format: 'iife',
    conditions: ['@headwater/source'],
  })
  const html = `<!doctype html><title>disk</title><script>${built.outputFiles[0]?.text}</script>`
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(html))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server has an address of this form.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An empty profile directory, and how to remove it. */
export async function makeProfile(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'headwater-chromium-'))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) }
}
