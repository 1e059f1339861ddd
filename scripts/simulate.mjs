// `npm run simulate`: bundles the simulation with all that it runs into one file, in which what is imported on need comes as soon as everything else, and runs it.
// `--workers 2`: in so many processes, which share the seeds. `--database native`: on a real PostgreSQL, which each of them starts.
// `--patience 300`: a seed that takes longer than so many seconds is given up, which is a finding, and the next ones go on in another process; so it is where a process ends by itself.
// `--partitions`: networks alone fail, in small plans that take a fraction of the time of the others: many of them.
// `--mutants`: once for every planted bug of test/simulation/mutants.json, each in the bundle alone, on seeds of the kind in which it can show, and a table of what found it.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'node_modules/.cache/headwater-simulation', String(process.pid))
const migrations = 'packages/server/src/install/migrations'
const args = process.argv.slice(2)
const children = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill(signal)
    process.exit(1)
  })
}
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const name = taken('--with')
const workers = Number(taken('--workers') ?? 1)
const patience = Number(taken('--patience') ?? 300)
process.exitCode = args.includes('--mutants') ? await runMutants() : await runSeeds()

/** The value of an option that is this script's own. */
function taken(option) {
  const at = args.indexOf(option)
  return at < 0 ? undefined : args.splice(at, 2)[1]
}

/** `--with NAME`: with one planted bug, for looking at what it does. */
async function runSeeds() {
  const mutant = name === undefined ? null : mutants().find((one) => one.name.includes(name))
  const file = await bundle('run', mutant)
  if (args.includes('--seed')) return (await run(file, [...aimed(mutant), ...args], 'inherit')).code
  const [from, seeds, minutes] = ['--from', '--seeds', '--minutes'].map(taken)
  const isKept = args.includes('--kept')
  const others = args.filter((arg) => arg !== '--kept')
  const seedsMax = Number(seeds ?? (minutes === undefined ? 20 : Number.POSITIVE_INFINITY))
  const endsAt = Date.now() + Number(minutes ?? Number.POSITIVE_INFINITY) * 60_000
  const totals = { seeds: 0, events: 0, mutations: 0, processes: 0, isWrong: false, findings: new Map() }
  const beganAt = Date.now()
  const shares = Array.from({ length: workers }, (_, i) => {
    const share = { next: Number(from ?? 1) + i, left: Math.ceil((seedsMax - i) / workers), isKept: isKept && i === 0 }
    return supervise(file, [...aimed(mutant), ...others, '--every', String(workers)], share, endsAt, totals)
  })
  await Promise.all(shares)
  if (totals.processes > 1) tellTotals(totals, Math.max(1, (Date.now() - beganAt) / 1_000))
  return totals.isWrong ? 1 : 0
}

/** One process after the other tries its share of the seeds: where one was given up, the next begins behind it. */
async function supervise(file, options, { next, left, isKept }, endsAt, totals) {
  for (let isFirst = isKept; left > 0 || isFirst; isFirst = false) {
    totals.processes++
    const minutes = (endsAt - Date.now()) / 60_000
    const bounds = [
      ...(left < Number.POSITIVE_INFINITY ? ['--seeds', String(left)] : []),
      ...(minutes < Number.POSITIVE_INFINITY ? ['--minutes', String(minutes)] : []),
    ]
    let [underWay, isOver] = [null, false]
    const found = (checker) => totals.findings.set(checker, (totals.findings.get(checker) ?? 0) + 1)
    const onMessage = ({ begins, ran, over }) => {
      if (begins) underWay = begins
      isOver ||= over === true
      if (!ran) return
      underWay = null
      totals.seeds++
      totals.events += ran.events
      totals.mutations += ran.mutations
      for (const checker of ran.checkers) found(checker)
    }
    const own = [...options, '--from', String(next), ...bounds, ...(isFirst ? ['--kept'] : [])]
    const { isGivenUp, code } = await run(file, own, 'pipe', { isTold: true, secondsMax: patience, onMessage })
    totals.isWrong ||= code !== 0
    if (isOver) return
    const what = isGivenUp ? `took longer than ${patience} s and was given up` : `broke its process off with ${code}`
    console.log(`${underWay?.name ?? 'the beginning'}: ${what}`)
    found('a run ends')
    if (underWay?.seed === undefined || options.includes('--first')) return
    left -= (underWay.seed - next) / workers + 1
    next = underWay.seed + workers
  }
}

function tellTotals({ seeds, events, mutations, findings }, seconds) {
  console.log(`together ${seeds} seeds, ${events} events, ${mutations} mutations in ${seconds.toFixed(0)} s: ${Math.round(events / seconds)} events a second`)
  console.log(`together findings: ${[...findings].map(([checker, count]) => `${checker} ${count}`).join(', ') || 'none'}`)
}

/** Where a planted bug can show: in this app, with these faults. */
function aimed(mutant) {
  const { workload, faults, database } = mutant?.only ?? {}
  return [...(database ? ['--database', database] : []), ...(workload ? ['--workload', workload] : []), ...(faults ? ['--faults', faults.join()] : [])]
}

function mutants() {
  return JSON.parse(readFileSync(join(root, 'test/simulation/mutants.json'), 'utf8'))
}

/** One file in a folder of its own, with the migrations beside it, as the server looks for them. `mutant`: what is different in it. */
async function bundle(name, mutant = null) {
  const into = join(folder, name)
  mkdirSync(into, { recursive: true })
  cpSync(join(root, migrations), join(into, 'migrations'), { recursive: true })
  const file = mutant && join(root, mutant.file)
  if (mutant?.file.startsWith(migrations)) writeFileSync(join(into, 'migrations', basename(file)), mutated(mutant))
  const outfile = join(into, 'run.mjs')
  const plugins = [
    {
      name: 'what is not ours stays outside',
      setup: ({ onResolve, onLoad }) => {
        onResolve({ filter: /^[^./#]/ }, ({ path }) => (path.startsWith('@headwater/') ? null : { path, external: true }))
        if (mutant) onLoad({ filter: /\.ts$/ }, ({ path }) => (path === file ? { contents: mutated(mutant), loader: 'ts' } : null))
      },
    },
  ]
  const conditions = ['@headwater/source', 'development']
  const entryPoints = [join(root, 'test/simulation/run.ts')]
  await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', outfile, conditions, plugins, sourcemap: 'inline', logLevel: 'error' })
  return outfile
}

/** `also`: what else has to be different in the same file, where two things guard against the same. */
function mutated({ name, file, also = [], ...first }) {
  return [first, ...also].reduce(
    (text, { find, replace }) => {
      const parts = text.split(find)
      if (parts.length !== 2) throw new Error(`${name}: what it takes the place of is ${parts.length - 1} times in ${file}.`)
      return parts.join(replace)
    },
    readFileSync(join(root, file), 'utf8'),
  )
}

/** `secondsMax`: where it has said nothing for so long, it is given up. */
function run(file, options, stdout, { isTold = false, secondsMax = null, onMessage = () => {} } = {}) {
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...options], { cwd: root, stdio: ['ignore', stdout, 'inherit', 'ipc'] })
  children.add(child)
  let isGivenUp = false
  let timer
  const wait = () => {
    clearTimeout(timer)
    if (secondsMax === null) return
    timer = setTimeout(() => {
      isGivenUp = true
      child.kill('SIGKILL')
    }, secondsMax * 1_000)
  }
  wait()
  let said = ''
  child.stdout?.on('data', (piece) => {
    said += piece
    if (isTold) process.stdout.write(piece)
  })
  child.on('message', (message) => {
    wait()
    onMessage(message)
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      children.delete(child)
      resolve({ code: code ?? 2, said, isGivenUp })
    })
  })
}

/** So many at a time, each in `--seeds` at most. `--write`: into the table of docs/promises.md. Exit code 1: one survived. */
async function runMutants() {
  const { values } = parseArgs({
    args,
    options: {
      mutants: { type: 'boolean' },
      seeds: { type: 'string', default: '60' },
      from: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      write: { type: 'boolean', default: false },
    },
  })
  const waiting = mutants().filter(({ name }) => name.includes(values.only))
  const looked = new Map()
  const clean = bundle('clean')
  const work = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { name, why } = mutant
      const { checker, tried } = await look(await bundle(`mutant ${name}`, mutant), await clean, aimed(mutant), values)
      looked.set(name, `| ${titleOf(mutant)} | ${checker ?? `not in ${tried}${why ? `: ${why}` : ''}`} | ${checker === null ? '' : tried} |`)
      console.log(looked.get(name))
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  if (values.write) writeTable(looked)
  return [...looked.values()].some((row) => row.includes('| not in ')) ? 1 : 0
}

function titleOf({ name, found }) {
  return `${name}${found ? ` (${found})` : ''}`
}

/** What finds a planted bug, and in the so-many-th seed. What is found without it in the same seed was not found by it: then it is looked for further on. */
async function look(file, clean, aim, { from, seeds }) {
  for (let [tried, next, checker] = [0, Number(from), null]; ; ) {
    const left = Number(seeds) - tried
    if (left <= 0) return { checker: null, tried }
    const onMessage = ({ ran }) => {
      if (!ran) return
      tried++
      next++
      checker = ran.checkers[0] ?? null
    }
    const { isGivenUp, code } = await run(file, ['--seeds', String(left), '--from', String(next), '--first', ...aim], 'pipe', {
      secondsMax: patience,
      onMessage,
    })
    if (isGivenUp || code > 1) return { checker: 'a run ends', tried: tried + 1 }
    if (checker !== null && (await run(clean, ['--seed', String(next - 1), ...aim], 'pipe')).code === 0) return { checker, tried }
  }
}

/** Those that were not looked for keep their rows. */
function writeTable(looked) {
  const file = join(root, 'docs/promises.md')
  const page = readFileSync(file, 'utf8')
  const rowOf = (mutant) =>
    looked.get(mutant.name) ?? page.split('\n').find((line) => line.startsWith(`| ${titleOf(mutant)} |`)) ?? `| ${titleOf(mutant)} | not tried | |`
  const table = ['| planted bug | caught by | after so many seeds |', '| --- | --- | ---: |', ...mutants().map(rowOf)]
  writeFileSync(
    file,
    page.replace(/^\| planted bug \|.*?\n(?=\n)/ms, () => `${table.join('\n')}\n`),
  )
}
