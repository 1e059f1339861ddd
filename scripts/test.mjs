// npm test: everything, on a machine that has only Node. With --versions, the tests of databases alone, all of them on every older PostgreSQL. Installs what is
// missing, checks, runs the tests, and says at the end, alone on a line, how many passed and failed. Plain JavaScript without dependencies: it runs before they
// are installed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const projects = ['unit', 'contracts', 'pg', 'e2e']
const versions = 'test/versions'
/** What older versions of PostgreSQL could make differ: the log and its order, what is durable, the port of the database. All of it: npm run versions. */
const filesPerVersion = ['test/pg/log.test.ts', 'test/pg/durable-step.test.ts', 'test/pg/convergence.test.ts', 'test/contracts/database.test.ts']
/** More failures than this are not tried again. */
const unsteadyMax = 10
/** How often files with a failure are run again at most. */
const runsAgain = 2
/** Where Debian has programs that not everybody's PATH leads to. */
process.env.PATH += ':/usr/sbin'

/** What tests need besides Node: Debian's package, and the programs by which it is known to be there. */
const systemPackages = [
  { name: 'chromium', programs: ['chromium', 'chromium-browser', 'google-chrome'], elsewhere: process.env.CHROMIUM },
  { name: 'postgresql-client', programs: ['psql'], elsewhere: undefined },
  { name: 'pgbouncer', programs: ['pgbouncer'], elsewhere: undefined },
  // Starts a server of its own where it is installed: on machines of CI alone. Without, test/pg/deploy.test.ts has nothing to do.
  ...(process.env.CI ? [{ name: 'nginx-light', programs: ['nginx'], elsewhere: undefined }] : []),
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

/**
 * Runs tests of some projects. Answers how many passed, and which failed: its file, its name and what it said. A failure that belongs to no file (an error
 * outside of tests, no report at all) has none.
 */
async function runTests(folder, projects, files = [], env = {}, options = []) {
  const report = join(folder, `${[...projects, ...Object.values(env)].join('-')}.json`)
  rmSync(report, { force: true })
  const chosen = projects.flatMap((project) => ['--project', project])
  const vitest = ['run', ...chosen, '--passWithNoTests', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...options, ...files]
  const code = await run(join(root, 'node_modules/.bin/vitest'), vitest, env)
  const suite = { projects, env }
  const isReported = existsSync(report)
  if (!isReported && code === 0) return { passed: 0, failures: [] }
  const { numPassedTests, testResults, success } = isReported
    ? JSON.parse(readFileSync(report, 'utf8'))
    : { numPassedTests: 0, testResults: [], success: false }
  const failures = testResults.flatMap(({ name: file, status, message, assertionResults }) => {
    const failed = assertionResults.filter((one) => one.status === 'failed').map((one) => ({ name: one.fullName, said: one.failureMessages.join('\n') }))
    if (status === 'failed' && failed.length === 0) failed.push({ name: 'does not load, or what its tests share could not be set up', said: message })
    return failed.map((one) => ({ suite, file, ...one }))
  })
  const isBroken = failures.length === 0 && (code !== 0 || !success)
  const broken = { suite, file: null, name: `${projects.join(', ')}: see "Unhandled", "FAIL" or the last lines of this run above`, said: '' }
  return { passed: numPassedTests, failures: isBroken ? [broken] : failures }
}

const isSame = (one) => (other) => one.file === other.file && one.name === other.name

/**
 * Files with a failure are run again, up to twice, with nothing beside them: machines of CI are slow at times. What fails in every run has failed; what passes in one
 * of them is counted as passed, and named: a test that is not steady is a defect of its own.
 */
async function runAgain(folder, failures) {
  const suites = new Map()
  for (const failure of failures) {
    if (failure.file === null) continue
    const key = JSON.stringify(failure.suite)
    suites.set(key, [...(suites.get(key) ?? []), failure])
  }
  const still = failures.filter(({ file }) => file === null)
  const unsteady = []
  for (const [key, first] of suites) {
    const { projects, env } = JSON.parse(key)
    let failing = first
    for (let again = 0; again < runsAgain && failing.length > 0; again += 1) {
      const files = [...new Set(failing.map(({ file }) => file))]
      const { failures: after } = await runTests(folder, projects, files, env, ['--no-file-parallelism'])
      // A run that breaks off tells nothing of its tests: it is no run in which they passed.
      if (after.some(({ file }) => file === null)) continue
      unsteady.push(...failing.filter((one) => !after.some(isSame(one))), ...after.filter((one) => !failing.some(isSame(one))))
      failing = failing.filter((one) => after.some(isSame(one)))
    }
    still.push(...failing)
  }
  return { still, unsteady: unsteady.filter((one, at) => unsteady.findIndex(isSame(one)) === at) }
}

const described = ({ suite, file, name }) =>
  `  ${[...Object.entries(suite.env).map((pair) => pair.join('=')), ...(file === null ? [] : [relative(root, file)])].join(' ')} ${name}`
const linesShown = 15
const indented = (text) =>
  text
    .split('\n')
    .filter((line) => !line.includes('/node_modules/'))
    .slice(0, linesShown)
    .map((line) => `      ${line}`)
    .join('\n')

async function main() {
  if (!(await installDependencies()) || !(await installSystemPackages())) return 1
  const checkCode = await run('npm', ['run', '--silent', 'check:static'])
  const folder = mkdtempSync(join(tmpdir(), 'headwater-test-'))
  let passed = 0
  const failures = []
  const add = (result) => {
    passed += result.passed
    failures.push(...result.failures)
  }
  const isWhole = process.argv.includes('--versions')
  if (!isWhole) for (const project of projects) add(await runTests(folder, [project]))
  for (const version of versionsInstalled()) {
    add(await runTests(folder, ['contracts', 'pg'], isWhole ? [] : filesPerVersion, { HEADWATER_POSTGRES: version }))
  }
  // Many failures are no accident of timing.
  const { still, unsteady } = failures.length > unsteadyMax ? { still: failures, unsteady: [] } : await runAgain(folder, failures)
  rmSync(folder, { recursive: true, force: true })
  // What failed is said at the very end: logs of CI are cut in front.
  if (checkCode !== 0) console.log('\nThe checks failed before the tests: see above.')
  const list = (title, these) => these.length > 0 && console.log(`\n${title}:\n${these.map((one) => `${described(one)}\n${indented(one.said)}`).join('\n')}`)
  list('Failed in one run and passed in another; each is a defect to be mended', unsteady)
  list('Failed', still)
  const passedAgain = unsteady.filter((one) => failures.some(isSame(one))).length
  console.log(`\n${passed + passedAgain} passed, ${still.length} failed`)
  return checkCode !== 0 || still.length > 0 || passed === 0 ? 1 : 0
}

process.exitCode = await main()
