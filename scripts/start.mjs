// `npm start`: from a fresh checkout to the running example, in one command. Plain Node without dependencies: this is what installs them.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const app = join(root, 'examples/codecraft')
const nodeMin = [20, 19]

checkNode()
await install()
await build()
await serve(process.argv.slice(2))

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1])) return
  fail(`Node ${nodeMin.join('.')} or later is needed; this is ${process.versions.node}.`)
}

/** Dependencies as the lock file says. npm notes in node_modules when it last installed. */
async function install() {
  const installed = join(root, 'node_modules/.package-lock.json')
  if (existsSync(installed) && modifiedMs(installed) >= modifiedMs(join(root, 'package-lock.json'))) return
  say('Installing the dependencies')
  // npm tells its scripts where it is itself; the `npm` of the path is a command file on some systems, which cannot be spawned.
  const npm = process.env.npm_execpath
  await run(
    npm ? process.execPath : 'npm',
    [...(npm ? [npm] : []), 'ci', '--no-fund', '--no-audit', '--loglevel=error'],
    'The dependencies could not be installed.',
  )
}

/** What of the app and of the packages has changed since it was built. */
async function build() {
  const lock = join(root, 'package-lock.json')
  const sourcesOf = (names) => names.map((name) => join(root, 'packages', name, 'src'))
  const ownSources = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json'].map((path) => join(app, path))
  if (isOlder(join(app, 'dist/index.html'), [...ownSources, ...sourcesOf(['protocol', 'schema', 'client', 'react']), lock])) {
    say('Building the web app')
    await run(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', app, '--logLevel', 'warn'], 'The web app could not be built.')
  }
  if (isOlder(join(root, 'packages/cli/dist/main.js'), [...sourcesOf(['protocol', 'schema', 'server', 'cli']), join(root, 'scripts/build.mjs'), lock])) {
    say('Building the server')
    await run(process.execPath, [join(root, 'scripts/build.mjs')], 'The server could not be built.')
  }
}

function isOlder(built, sources) {
  return !existsSync(built) || modifiedMs(built) < Math.max(...sources.map(newestIn))
}

/** Hands over to `headwater dev`, which prints the URL: signals go to it, its exit code is ours. */
async function serve(args) {
  const command = ['--import', pathToFileURL(join(root, 'scripts/with-parent.mjs')).href]
  const folder = args.some((arg) => arg === '--app' || arg.startsWith('--app=')) ? [] : ['--app', app]
  const child = spawn(process.execPath, [...command, join(root, 'packages/cli/bin/headwater.js'), 'dev', ...folder, ...args], {
    cwd: root,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Ctrl-C reaches a whole group, and npm passes it on once more: in a group of its own the server hears it from here only, once.
    detached: process.platform !== 'win32',
  })
  const stop = once((signal) => child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  // npm runs us through a shell, which does not pass on the signal that ends npm: then only the parent's absence tells.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop('SIGTERM')
  }, 500)
  watch.unref()
  const [code, signal] = await ended(child)
  // As a shell reports it: 128 and the number of the signal, of which only these end a server from outside.
  process.exitCode = code ?? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0)
}

/** The same signal comes by several ways at once; one that comes later is another one. */
function once(act) {
  let actedAt = 0
  return (signal) => {
    if (Date.now() - actedAt < 1_000) return
    actedAt = Date.now()
    act(signal)
  }
}

async function run(command, args, failure) {
  // Standard output is for the URL.
  const [code] = await ended(spawn(command, args, { cwd: root, stdio: ['ignore', process.stderr, 'inherit'] }))
  if (code !== 0) fail(failure)
}

function ended(child) {
  return new Promise((resolve) => {
    child.on('error', (error) => fail(error.message))
    child.on('exit', (code, signal) => resolve([code, signal]))
  })
}

function newestIn(path) {
  if (!existsSync(path)) return 0
  if (!statSync(path).isDirectory()) return modifiedMs(path)
  // A folder's own time tells of files that were removed.
  return Math.max(modifiedMs(path), ...readdirSync(path).map((name) => newestIn(join(path, name))))
}

function modifiedMs(path) {
  return statSync(path).mtimeMs
}

function say(what) {
  process.stderr.write(`${what} …\n`)
}

function fail(what) {
  process.stderr.write(`${what}\n`)
  process.exit(1)
}
