// codecraft as a person has it: `headwater dev` in a process of its own, and Chromium with a profile of its own.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Page } from 'playwright-core'

const root = join(import.meta.dirname, '../..')
const app = join(root, 'examples/codecraft')
const startMsMax = 60_000

export interface AppProcess {
  readonly url: string
  readonly port: number
  /** Where an SQL client connects. */
  readonly sqlUrl: string
  /** What it printed when it had started. */
  readonly line: unknown
  readonly errors: () => string
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** Builds the pages, unless nothing that they are made of has changed since they were. */
export function buildPages(): void {
  const sources = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json'].map((path) => join(app, path))
  const packages = ['protocol', 'schema', 'client', 'react'].map((name) => join(root, 'packages', name, 'src'))
  const page = join(app, 'dist/index.html')
  if (existsSync(page) && statSync(page).mtimeMs > Math.max(...[...sources, ...packages, join(root, 'package-lock.json')].map(newestIn))) return
  const built = spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', app, '--logLevel', 'warn'], {
    encoding: 'utf8',
    // A test runner has another one, and with it the pages would be those of a developer.
    env: { ...process.env, NODE_ENV: 'production' },
  })
  if (built.status !== 0) throw new Error(`codecraft does not build: ${built.stderr}${built.stdout}`)
}

/** A folder's own time tells of files that were removed. */
function newestIn(path: string): number {
  const { mtimeMs } = statSync(path)
  return statSync(path).isDirectory() ? Math.max(mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name)))) : mtimeMs
}

/** `database`: the URL of a PostgreSQL; null: embedded in `data`. */
export async function startApp({
  data,
  database,
  port = 0,
  command = 'dev',
}: {
  readonly data: string
  readonly database: string | null
  readonly port?: number
  readonly command?: 'dev' | 'start'
}): Promise<AppProcess> {
  const args = [
    '--conditions=@headwater/source',
    '--import',
    'tsx',
    // A run of the tests that is killed takes its servers along.
    '--import',
    pathToFileURL(join(root, 'scripts/with-parent.mjs')).href,
    'packages/cli/src/run.ts',
    command,
    '--app',
    app,
    '--data',
    data,
    '--port',
    String(port),
    '--json',
  ]
  const { DATABASE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, database === null ? args : [...args, '--database', database], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', (text) => {
    errors += text
  })
  const line = await firstLine(child, () => errors)
  const started: { readonly url: string; readonly database: string | null } = JSON.parse(line)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    url: started.url,
    port: Number(new URL(started.url).port),
    line: started,
    sqlUrl: database ?? started.database ?? '',
    errors: () => errors,
    kill: async (signal) => {
      child.kill(signal)
      await ended
    },
  }
}

function firstLine(child: ChildProcess, errors: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = setTimeout(() => reject(new Error(`headwater dev did not start: ${errors()}`)), startMsMax)
    child.once('exit', (code) => reject(new Error(`headwater dev ended with ${code}: ${errors()}`)))
    child.stdout?.on('data', (data) => {
      text += data
      if (!text.includes('\n')) return
      clearTimeout(timer)
      resolve(text.slice(0, text.indexOf('\n')))
    })
  })
}

export interface Browser {
  page(): Page
  /** Opens the app again as after a restart of the browser, with the profile kept. */
  restart(url: string): Promise<void>
  close(): Promise<void>
}

/** One person's browser. `serviceWorkers: 'block'`: what a test does to requests would pass one by. */
export async function openBrowser({
  flags = [],
  ...options
}: {
  readonly serviceWorkers?: 'block'
  readonly flags?: readonly string[]
} = {}): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'hw-profile-'))
  const launch = async () => {
    const context = await chromium.launchPersistentContext(profile, {
      ...options,
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        ...flags,
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    return { context, page: context.pages()[0] ?? (await context.newPage()) }
  }
  let opened = await launch()
  return {
    page: () => opened.page,
    restart: async (url) => {
      await opened.context.close()
      opened = await launch()
      await opened.page.goto(url)
    },
    close: async () => {
      await opened.context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

/** Where the build puts the pages. */
export const builtPages = join(app, 'dist')

/** The built pages and nothing else, as a cache would have them while the server is away. `folder`: of another build. */
export async function servePages(folder = builtPages): Promise<{ readonly port: number; close(): Promise<void> }> {
  const http = createServer(async ({ url = '/' }, response) => {
    const file = await fromDist(folder, url)
    response.writeHead(file.status, { 'content-type': file.contentType, connection: 'close' }).end(file.body)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const address = http.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () => {
      http.closeAllConnections()
      return new Promise((resolve) => http.close(() => resolve()))
    },
  }
}

const contentTypes: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

async function fromDist(folder: string, path: string) {
  const away = { status: 503, contentType: 'text/plain', body: 'away' as string | Buffer }
  if (path.startsWith('/api/') || path.startsWith('/headwater/')) return away
  const file = extname(path) === '' ? '/index.html' : path
  try {
    return { status: 200, body: await readFile(join(folder, file)), contentType: contentTypes[extname(file)] ?? 'application/octet-stream' }
  } catch {
    return { ...away, status: 404 }
  }
}

/** Signs in as one of the seeded people and waits until everything is there. */
export async function signIn(page: Page, url: string, person: string): Promise<void> {
  await page.goto(url)
  await page.getByTestId(`sign-in-${person}`).click()
  await page.getByTestId('project-card').first().waitFor()
  await untilSynced(page)
}

export const untilSynced = (page: Page) => page.locator('[data-testid=sync-status][data-phase=live][data-pending="0"]').waitFor()

export const cardTitles = (page: Page) => page.getByTestId('project-title').allTextContents()
