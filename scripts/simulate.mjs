// `npm run simulate`: bundles the simulation with all that it runs into one file, in which what is imported on need comes as soon as everything else, and runs it.
// `--workers 2`: in so many processes, which share the seeds. `--database native`: on a real PostgreSQL, which each of them starts.
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
  if (workers === 1) return (await run(file, [...aimed(mutant), ...args], 'inherit')).code
  const [from, seeds] = [Number(taken('--from') ?? 1), taken('--seeds')]
  const options = Array.from({ length: workers }, (_, i) => {
    const share = seeds === undefined ? [] : ['--seeds', String(Math.ceil((Number(seeds) - i) / workers))]
    return [...aimed(mutant), ...args, '--from', String(from + i), '--every', String(workers), ...share]
  })
  const runs = await Promise.all(options.map((own) => run(file, own, 'pipe', { isTold: true })))
  const sums = runs.map(({ said }) => /^(\d+) seeds, (\d+) events, (\d+) mutations in (\d+) s/m.exec(said)?.slice(1).map(Number) ?? [0, 0, 0, 0])
  const [all, events, mutations] = [0, 1, 2].map((at) => sums.reduce((sum, one) => sum + one[at], 0))
  const seconds = Math.max(1, ...sums.map((one) => one[3]))
  console.log(`together ${all} seeds, ${events} events, ${mutations} mutations in ${seconds} s: ${Math.round(events / seconds)} events a second`)
  return Math.max(...runs.map(({ code }) => code))
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

/** `minutesMax`: after these it is given up. */
function run(file, options, stdout, { isTold = false, minutesMax = null } = {}) {
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...options], { cwd: root, stdio: ['ignore', stdout, 'inherit'] })
  children.add(child)
  const timer = minutesMax === null ? undefined : setTimeout(() => child.kill('SIGKILL'), minutesMax * 60_000)
  let said = ''
  child.stdout?.on('data', (piece) => {
    said += piece
    if (isTold) process.stdout.write(piece)
  })
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer)
      children.delete(child)
      resolve({ code: code ?? 1, said })
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
      const { said } = await run(await bundle(`mutant-${at}`, mutant), asked, 'pipe', { minutesMax: Number(values.minutes) + 3 })
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
