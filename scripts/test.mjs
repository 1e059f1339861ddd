// npm test: everything, on a machine that has only Node. With --versions, the tests of databases alone, all of them on every older PostgreSQL. Installs what is
// missing, checks, runs the tests, and says at the end, alone on a line, how many passed and failed. Plain JavaScript without dependencies: it runs before they
// are installed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const projects = ['unit', 'contracts', 'pg', 'e2e']
const versions = 'test/versions'
/** What older versions of PostgreSQL could make differ: the log and its order, what is durable, the port of the database. All of it: npm run versions. */
const filesPerVersion = ['test/pg/log.test.ts', 'test/pg/durable-step.test.ts', 'test/pg/convergence.test.ts', 'test/contracts/database.test.ts']
/** Where Debian has programs that not everybody's PATH leads to. */
process.env.PATH += ':/usr/sbin'

/** What tests need besides Node: Debian's package, and the programs by which it is known to be there. */
const systemPackages = [
  { name: 'chromium', programs: ['chromium', 'chromium-browser', 'google-chrome'], elsewhere: process.env.CHROMIUM },
  { name: 'postgresql-client', programs: ['psql'], elsewhere: undefined },
  { name: 'pgbouncer', programs: ['pgbouncer'], elsewhere: undefined },
]

/** Runs a program with its output on ours; resolves with its exit code, 1 if it could not be started or was killed. */
function run(command, args, env = {}) {
  console.log(`\n> ${[...Object.entries(env).map((pair) => pair.join('=')), command, ...args].join(' ')}`)
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  const passOn = (signal) => child.kill(signal)
  process.on('SIGINT', passOn).on('SIGTERM', passOn)
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.on('exit', (code) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn)
      resolve(code ?? 1)
    })
  })
}

const isInstalled = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

async function installDependencies() {
  if (!existsSync(join(root, 'node_modules/.bin/vitest')) && (await run('npm', ['ci'])) !== 0) return false
  return existsSync(join(root, versions, 'node_modules')) || (await run('npm', ['ci', '--ignore-scripts', '--prefix', versions])) === 0
}

/** The older versions of PostgreSQL that there are binaries of for this machine. */
const versionsInstalled = () => {
  const folder = join(root, versions, 'node_modules')
  return (existsSync(folder) ? readdirSync(folder) : []).flatMap((name) => /^postgres-(\d+)$/.exec(name)?.[1] ?? []).sort()
}

/** Debian's packages, by apt-get as root or with sudo. Elsewhere it says what to install. */
async function installSystemPackages() {
  const missing = systemPackages.filter(({ programs, elsewhere }) => !elsewhere && !programs.some(isInstalled)).map(({ name }) => name)
  if (missing.length === 0) return true
  const isRoot = process.getuid?.() === 0
  const mayInstall = isInstalled('apt-get') && (isRoot || spawnSync('sudo', ['-n', 'true']).status === 0)
  if (!mayInstall) {
    console.error(`Missing on this machine: ${missing.join(', ')}. Install them, on Debian or Ubuntu: sudo apt-get install ${missing.join(' ')}`)
    return false
  }
  const apt = (...args) => (isRoot ? run('apt-get', args) : run('sudo', ['apt-get', ...args]))
  if ((await apt('update', '-q')) !== 0) return false
  return (await apt('install', '-q', '-y', '--no-install-recommends', ...missing)) === 0
}

/** The tests of some projects. Counts are read from vitest's own report; no report at all counts as one failure. */
async function runTests(folder, projects, files = [], env = {}) {
  const report = join(folder, `${[...projects, ...Object.values(env)].join('-')}.json`)
  const chosen = projects.flatMap((project) => ['--project', project])
  const vitest = ['run', ...chosen, '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...files]
  const code = await run(join(root, 'node_modules/.bin/vitest'), vitest, env)
  if (!existsSync(report)) return { passed: 0, failed: code === 0 ? 0 : 1 }
  const { numPassedTests, numFailedTests, success } = JSON.parse(readFileSync(report, 'utf8'))
  // A file that does not load has no tests that could fail, and an error outside of tests belongs to none.
  const isBroken = numFailedTests === 0 && (code !== 0 || !success)
  return { passed: numPassedTests, failed: numFailedTests + (isBroken ? 1 : 0) }
}

async function main() {
  if (!(await installDependencies()) || !(await installSystemPackages())) return 1
  const checkCode = await run('npm', ['run', '--silent', 'check:static'])
  const folder = mkdtempSync(join(tmpdir(), 'headwater-test-'))
  const total = { passed: 0, failed: 0 }
  const add = ({ passed, failed }) => {
    total.passed += passed
    total.failed += failed
  }
  const isWhole = process.argv.includes('--versions')
  if (!isWhole) for (const project of projects) add(await runTests(folder, [project]))
  for (const version of versionsInstalled()) {
    add(await runTests(folder, ['contracts', 'pg'], isWhole ? [] : filesPerVersion, { HEADWATER_POSTGRES: version }))
  }
  rmSync(folder, { recursive: true, force: true })
  if (checkCode !== 0) console.error('\nThe checks failed before the tests: see above.')
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
  return checkCode !== 0 || total.failed > 0 || total.passed === 0 ? 1 : 0
}

process.exitCode = await main()
