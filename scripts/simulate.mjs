// `npm run simulate`: bundles the simulation with all that it runs into one file, in which what is imported on need comes as soon as everything else, and runs it.
// `--mutants`: once for every planted bug of test/simulation/mutants.json, each in the bundle alone, and a table of what found it.
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

process.exitCode = args.includes('--mutants') ? await runMutants() : (await run(await bundle('run', planted()), given(), 'inherit')).code

/** `--with NAME`: one planted bug, for looking at what it does. */
function planted() {
  const at = args.indexOf('--with')
  return at < 0 ? null : mutants().find(({ name }) => name.includes(args[at + 1]))
}

function given() {
  const at = args.indexOf('--with')
  return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)]
}

function mutants() {
  return JSON.parse(readFileSync(join(root, 'test/simulation/mutants.json'), 'utf8'))
}

/** One file in a folder of its own, with the migrations beside it, as the server looks for them. `mutant`: what is different in it. */
async function bundle(name, mutant = null) {
  const into = join(folder, name)
  mkdirSync(into, { recursive: true })
  cpSync(join(root, migrations), join(into, 'migrations'), { recursive: true })
  if (mutant?.file.startsWith(migrations)) writeFileSync(join(into, 'migrations', basename(mutant.file)), mutated(mutant))
  const outfile = join(into, 'run.mjs')
  const plugins = [
    {
      name: 'what is not ours stays outside',
      setup: ({ onResolve, onLoad }) => {
        onResolve({ filter: /^[^./#]/ }, ({ path }) => (path.startsWith('@headwater/') ? null : { path, external: true }))
        if (mutant) onLoad({ filter: /\.ts$/ }, ({ path }) => (path === join(root, mutant.file) ? { contents: mutated(mutant), loader: 'ts' } : null))
      },
    },
  ]
  const conditions = ['@headwater/source', 'development']
  const entryPoints = [join(root, 'test/simulation/run.ts')]
  await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', outfile, conditions, plugins, sourcemap: 'inline', logLevel: 'error' })
  return outfile
}

function mutated({ name, file, find, replace }) {
  const parts = readFileSync(join(root, file), 'utf8').split(find)
  if (parts.length !== 2) throw new Error(`${name}: what it takes the place of is ${parts.length - 1} times in ${file}.`)
  return parts.join(replace)
}

function run(file, options, stdout) {
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...options], { cwd: root, stdio: ['ignore', stdout, 'inherit'] })
  children.add(child)
  let said = ''
  child.stdout?.on('data', (piece) => {
    said += piece
  })
  return new Promise((resolve) => child.on('exit', (code) => resolve({ code: code ?? 1, said })))
}

/** Two at a time. Exit code 1: one survived. */
async function runMutants() {
  const { values } = parseArgs({
    args,
    options: { mutants: { type: 'boolean' }, seeds: { type: 'string', default: '40' }, from: { type: 'string', default: '1' }, only: { type: 'string' } },
  })
  const waiting = [...mutants().entries()].filter(([, { name }]) => values.only === undefined || name.includes(values.only))
  const rows = []
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [at, mutant] = next
      const asked = ['--seeds', values.seeds, '--from', values.from, '--first']
      const { said } = await run(await bundle(`mutant-${at}`, mutant), asked, 'pipe')
      const seeds = Number(/^(\d+) seeds,/m.exec(said)?.[1] ?? Number.NaN)
      const found = /^seed \d+: .*\n {2}(.*?), at/m.exec(said)?.[1]
      const row = [
        mutant.name,
        mutant.found ?? '',
        found ?? (Number.isNaN(seeds) ? 'the run itself, which broke off' : 'nothing: it survives'),
        Number.isNaN(seeds) ? '' : String(seeds),
      ]
      rows[at] = row
      console.log(row.join(' | '))
    }
  }
  await Promise.all([work(), work()])
  const table = [['planted bug', 'really found as', 'caught by', 'after so many seeds'], ['---', '---', '---', '---:'], ...rows.filter(Boolean)]
  console.log(`\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}`)
  return rows.some((row) => row?.[2].startsWith('nothing')) ? 1 : 0
}
