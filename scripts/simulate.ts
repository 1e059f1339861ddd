// `npm run simulate`: bundles the simulation with all that it runs into one file, in which what is imported on need comes as soon as everything else, and runs it, in one process or
// several. Where a seed is given up, or ends its process by itself, the next ones go on in another one.
// `--mutants`: once for every planted bug of test/simulation/mutants.json, each in the bundle alone, on seeds of the kind in which it can show, and a table of what found it.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { argsOf, readOptions } from '../test/harness/options.ts'
import { command, type Mutant, mutants, type Told } from '../test/simulation/options.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, asked } = readOptions(command)
const folder = join(root, 'node_modules/.cache/headwater-simulation', String(process.pid))
const migrations = 'packages/server/src/install/migrations'
const children = new Set<ChildProcess>()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const child of children) child.kill(signal)
    process.exit(1)
  })
}
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

process.exitCode = values.mutants ? await runMutants() : await runSeeds()

/** What is said to a process: values by the names of their options. */
type Said = Readonly<Record<string, unknown>>

interface Totals {
  seeds: number
  events: number
  mutations: number
  processes: number
  isWrong: boolean
  readonly findings: Map<string, number>
}

/** `--with NAME`: with one planted bug, for looking at what it does. */
async function runSeeds(): Promise<number> {
  const mutant = mutants.find(({ name }) => values.with !== undefined && name.includes(values.with))
  const file = await bundle('run', mutant)
  // Where a planted bug can show; what was asked for goes before it.
  const said = { ...mutant?.only, ...asked, with: undefined }
  if (values.seed || values.plan) return (await run(file, said, { stdout: 'inherit' })).code
  const { from, every, workers, minutes = Number.POSITIVE_INFINITY } = values
  const seedsMax = values.seeds ?? (values.minutes ? Number.POSITIVE_INFINITY : 20)
  const beganAt = Date.now()
  const totals: Totals = { seeds: 0, events: 0, mutations: 0, processes: 0, isWrong: false, findings: new Map() }
  const shares = Array.from({ length: workers }, (_, i) => {
    const share = { next: from + i * every, left: Math.ceil((seedsMax - i) / workers), isKept: values.kept && i === 0 }
    return supervise(file, { ...said, every: every * workers, kept: undefined }, share, beganAt + minutes * 60_000, totals)
  })
  await Promise.all(shares)
  if (totals.processes > 1) tellTotals(totals, Math.max(1, (Date.now() - beganAt) / 1_000))
  return totals.isWrong ? 1 : 0
}

interface Share {
  next: number
  left: number
  readonly isKept: boolean
}

/** One process after the other tries its share of the seeds: where one was given up, the next begins behind it. */
async function supervise(file: string, said: Said & { readonly every: number }, { next, left, isKept }: Share, endsAt: number, totals: Totals): Promise<void> {
  for (let isFirst = isKept; left > 0 || isFirst; isFirst = false) {
    totals.processes++
    const minutes = (endsAt - Date.now()) / 60_000
    let underWay: Told['begins']
    let isOver = false
    const found = (checker: string) => totals.findings.set(checker, (totals.findings.get(checker) ?? 0) + 1)
    const onMessage = ({ begins, ran, over }: Told) => {
      if (begins) underWay = begins
      isOver ||= over === true
      if (!ran) return
      underWay = undefined
      totals.seeds++
      totals.events += ran.events
      totals.mutations += ran.mutations
      for (const checker of ran.checkers) found(checker)
    }
    const bounds = { from: next, seeds: bounded(left), minutes: bounded(Math.max(0.001, minutes)), kept: isFirst }
    const { isGivenUp, code } = await run(file, { ...said, ...bounds }, { isTold: true, isGivenUp: true, onMessage })
    totals.isWrong ||= code !== 0
    if (isOver) return
    const what = isGivenUp ? `took longer than ${values.patience} s and was given up` : `broke its process off with ${code}`
    console.log(`${underWay?.name ?? 'the beginning'}: ${what}`)
    found('a run ends')
    if (underWay?.seed === undefined || values.first) return
    left -= (underWay.seed - next) / said.every + 1
    next = underWay.seed + said.every
  }
}

/** undefined: without a bound. */
function bounded(count: number): number | undefined {
  return count < Number.POSITIVE_INFINITY ? Math.max(0, count) : undefined
}

function tellTotals({ seeds, events, mutations, findings }: Totals, seconds: number): void {
  console.log(`together ${seeds} seeds, ${events} events, ${mutations} mutations in ${seconds.toFixed(0)} s: ${Math.round(events / seconds)} events a second`)
  console.log(`together findings: ${[...findings].map(([checker, count]) => `${checker} ${count}`).join(', ') || 'none'}`)
}

/** One file in a folder of its own, with the migrations beside it, as the server looks for them. `mutant`: what is different in it. */
async function bundle(name: string, mutant?: Mutant): Promise<string> {
  const into = join(folder, name)
  mkdirSync(into, { recursive: true })
  cpSync(join(root, migrations), join(into, 'migrations'), { recursive: true })
  const file = mutant && join(root, mutant.file)
  if (mutant?.file.startsWith(migrations)) writeFileSync(join(into, 'migrations', basename(mutant.file)), mutated(mutant))
  const outfile = join(into, 'run.mjs')
  const outside: Plugin = {
    name: 'what is not ours stays outside',
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^[^./#]/ }, ({ path }) => (path.startsWith('@headwater/') ? null : { path, external: true }))
      if (mutant) onLoad({ filter: /\.ts$/ }, ({ path }) => (path === file ? { contents: mutated(mutant), loader: 'ts' } : null))
    },
  }
  const conditions = ['@headwater/source', 'development']
  const entryPoints = [join(root, 'test/simulation/run.ts')]
  await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', outfile, conditions, plugins: [outside], sourcemap: 'inline', logLevel: 'error' })
  return outfile
}

function mutated({ name, file, also = [], ...first }: Mutant): string {
  return [first, ...also].reduce(
    (text, { find, replace }) => {
      const parts = text.split(find)
      if (parts.length !== 2) throw new Error(`${name}: what it takes the place of is ${parts.length - 1} times in ${file}.`)
      return parts.join(replace)
    },
    readFileSync(join(root, file), 'utf8'),
  )
}

interface RunOptions {
  readonly stdout?: 'pipe' | 'inherit'
  /** What it prints is printed. */
  readonly isTold?: boolean
  /** Where it has said nothing for as long as `--patience` says, it is given up. */
  readonly isGivenUp?: boolean
  readonly onMessage?: (told: Told) => void
}

function run(file: string, said: Said, { stdout = 'pipe', isTold, isGivenUp: mayBeGivenUp, onMessage }: RunOptions) {
  const args = ['--enable-source-maps', file, ...argsOf(said)]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', stdout, 'inherit', 'ipc'] })
  children.add(child)
  let isGivenUp = false
  let timer: NodeJS.Timeout | undefined
  const wait = () => {
    clearTimeout(timer)
    if (!mayBeGivenUp) return
    timer = setTimeout(() => {
      isGivenUp = true
      child.kill('SIGKILL')
    }, values.patience * 1_000)
  }
  wait()
  child.stdout?.on('data', (piece) => void (isTold && process.stdout.write(piece)))
  child.on('message', (message) => {
    wait()
    // run.ts sends nothing else.
    onMessage?.(message as Told)
  })
  return new Promise<{ readonly code: number; readonly isGivenUp: boolean }>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      children.delete(child)
      resolve({ code: code ?? 2, isGivenUp })
    })
  })
}

/** So many at a time as `--workers` says, each in `--seeds` at most. `--write`: into the table of docs/promises.md. Exit code 1: one survived. */
async function runMutants(): Promise<number> {
  const waiting = mutants.filter(({ name }) => name.includes(values.only))
  const looked = new Map<string, string>()
  const clean = bundle('clean')
  const work = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { name, why } = mutant
      const { checker, tried } = await look(await bundle(`mutant ${name}`, mutant), await clean, mutant.only)
      const row = `| ${titleOf(mutant)} | ${checker ?? `not in ${tried}${why ? `: ${why}` : ''}`} | ${checker === null ? '' : tried} |`
      looked.set(name, row)
      console.log(row)
    }
  }
  await Promise.all(Array.from({ length: values.workers }, work))
  if (values.write) writeTable(looked)
  return [...looked.values()].some((row) => row.includes('| not in ')) ? 1 : 0
}

function titleOf({ name, found }: Mutant): string {
  return `${name}${found ? ` (${found})` : ''}`
}

/** What finds a planted bug, and in the so-many-th seed. What is found without it in the same seed was not found by it: then it is looked for further on. */
async function look(file: string, clean: string, aim: Mutant['only']): Promise<{ readonly checker: string | null; readonly tried: number }> {
  let checker: string | null = null
  for (let [tried, next] = [0, values.from]; ; ) {
    const left = (values.seeds ?? 60) - tried
    if (left <= 0) return { checker: null, tried }
    const onMessage = ({ ran }: Told) => {
      if (!ran) return
      tried++
      next++
      checker = ran.checkers[0] ?? null
    }
    const { isGivenUp, code } = await run(file, { ...aim, seeds: left, from: next, first: true }, { isGivenUp: true, onMessage })
    if (isGivenUp || code > 1) return { checker: 'a run ends', tried: tried + 1 }
    if (checker !== null && (await run(clean, { ...aim, seed: next - 1 }, {})).code === 0) return { checker, tried }
  }
}

/** Those that were not looked for keep their rows. */
function writeTable(looked: ReadonlyMap<string, string>): void {
  const file = join(root, 'docs/promises.md')
  const page = readFileSync(file, 'utf8')
  const rowOf = (mutant: Mutant) =>
    looked.get(mutant.name) ?? page.split('\n').find((line) => line.startsWith(`| ${titleOf(mutant)} |`)) ?? `| ${titleOf(mutant)} | not tried | |`
  const table = ['| planted bug | caught by | after so many seeds |', '| --- | --- | ---: |', ...mutants.map(rowOf)]
  writeFileSync(
    file,
    page.replace(/^\| planted bug \|.*?\n(?=\n)/ms, () => `${table.join('\n')}\n`),
  )
}
