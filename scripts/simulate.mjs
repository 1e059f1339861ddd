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

/** So many at a time, each for `--minutes` at most. Exit code 1: one survived. */
async function runMutants() {
  const { values } = parseArgs({
    args,
    options: {
      mutants: { type: 'boolean' },
      seeds: { type: 'string', default: '40' },
      from: { type: 'string', default: '1' },
      only: { type: 'string' },
      minutes: { type: 'string', default: '5' },
    },
  })
  const waiting = [...mutants().entries()].filter(([, { name }]) => values.only === undefined || name.includes(values.only))
  const rows = []
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [at, mutant] = next
      const asked = ['--seeds', values.seeds, '--minutes', values.minutes, '--from', values.from, '--first', ...aimed(mutant)]
      const { said } = await run(await bundle(`mutant-${at}`, mutant), asked, 'pipe', { secondsMax: patience })
      const seeds = Number(/^(\d+) seeds,/m.exec(said)?.[1] ?? Number.NaN)
      const [, seed, found] = /^seed (\d+): .*\n {2}(.*?), at/m.exec(said) ?? []
      // What is found without the bug as well was not found by it.
      const isOwn = found === undefined || (await run(await bundle(`clean-${at}`), ['--seed', seed, ...aimed(mutant)], 'pipe')).code === 0
      const row = [
        mutant.name,
        mutant.found ?? '',
        !isOwn
          ? `nothing: without it seed ${seed} finds something too`
          : (found ?? (Number.isNaN(seeds) ? 'the run itself, which broke off or did not end' : 'nothing: it survives')),
        Number.isNaN(seeds) ? '' : String(seeds),
      ]
      rows[at] = row
      console.log(row.join(' | '))
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  const table = [['planted bug', 'really found as', 'caught by', 'after so many seeds'], ['---', '---', '---', '---:'], ...rows.filter(Boolean)]
  console.log(`\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}`)
  return rows.some((row) => row?.[2].startsWith('nothing')) ? 1 : 0
}
