// How long a person waits for the first row: from launching `npm start` to the first project painted, on a fresh data directory
// (the web app is built, the database made and filled) and again with what the first run left. Fails when either takes too long.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const coldMsMax = 60_000
const warmMsMax = 3_000
const root = fileURLToPath(new URL('..', import.meta.url))
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

// One port for both: another one would be another origin, with a device of its own.
const port = await freePort()
const work = mkdtempSync(join(tmpdir(), 'first-paint-'))
try {
  rmSync(join(root, 'examples/codecraft/dist'), { recursive: true, force: true })
  const cold = await measure('cold', coldMsMax)
  const warm = await measure('warm', warmMsMax)
  process.exitCode = cold && warm ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** One launch and one visit with the browser profile of the visits before. Answers whether it was fast enough. */
async function measure(name, msMax) {
  const browser = await chromium.launchPersistentContext(join(work, 'profile'), { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags })
  const page = browser.pages()[0] ?? (await browser.newPage())
  const launchedAt = Date.now()
  // A process group of its own, so that what npm starts ends with it.
  const app = spawn('npm', ['start', '--silent', '--', '--data', join(work, 'data'), '--port', String(port)], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const url = await urlOf(app)
    const startedAt = Date.now()
    await page.goto(url)
    await signIn(page)
    const paintedAt = await page.evaluate(firstRowAt, coldMsMax)
    const ms = Math.round(paintedAt - launchedAt)
    process.stdout.write(
      `${name}: ${ms} ms to the first row (${startedAt - launchedAt} ms to the URL), at most ${msMax} ms: ${ms <= msMax ? 'ok' : 'TOO SLOW'}\n`,
    )
    return ms <= msMax
  } finally {
    await browser.close()
    await end(app)
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

function urlOf(app) {
  return new Promise((resolve, reject) => {
    let said = ''
    app.on('error', reject)
    app.on('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${said}`)))
    app.stdout.on('data', (text) => {
      said += text
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? []
      if (url) resolve(url)
    })
  })
}

/** The first visit signs in as anybody would; later ones are remembered. */
async function signIn(page) {
  const person = page.getByTestId('sign-in-ada')
  const first = await Promise.race([
    person.waitFor().then(() => 'sign-in'),
    page
      .getByTestId('project-card')
      .first()
      .waitFor()
      .then(() => 'projects'),
  ])
  if (first === 'sign-in') await person.click()
}

/** In the page: when the mark of the first painted row was made, in milliseconds since 1970. */
function firstRowAt(msMax) {
  return new Promise((resolve, reject) => {
    const look = () => {
      const [mark] = performance.getEntriesByName('first-row')
      if (mark) resolve(performance.timeOrigin + mark.startTime)
      else setTimeout(look, 5)
    }
    setTimeout(() => reject(new Error('No row was painted.')), msMax)
    look()
  })
}

/** npm and what it started: the directory of the database is removed after, so nobody may be left in it. */
async function end(app) {
  const isAlive = () => {
    try {
      return process.kill(-app.pid, 0)
    } catch {
      return false
    }
  }
  if (isAlive()) process.kill(-app.pid, 'SIGTERM')
  while (isAlive()) await wait(20)
}
