// npm run check: every check, also when one before it failed, and a word on each at the end. With --static, without the unit tests.
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const checks = [
  { name: 'formatting, imports, lint', command: ['biome', 'check', '.'] },
  { name: 'import directions, lint', command: ['oxlint'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'rules of the house', command: ['tsx', 'scripts/rules.ts'] },
  { name: 'lockfile', command: ['node', 'scripts/lockfile.mjs', '--check'] },
  { name: 'unit tests', command: ['vitest', 'run', '--project', 'unit'] },
]

function run([program, ...args]) {
  const path = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: path } })
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

const wanted = process.argv.includes('--static') ? checks.slice(0, -1) : checks
const failed = []
for (const { name, command } of wanted) if ((await run(command)) !== 0) failed.push(name)
console.log(failed.length === 0 ? `\ncheck: all ${wanted.length} passed` : `\ncheck: failed: ${failed.join('; ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
