// npm run docs: the documentation's site on this machine, as it is edited. With --build it is built into docs/site/dist, with --preview that is shown.
// What it takes is installed by this, and not with the repository: 100 MB that nobody needs who builds an app or runs the tests.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const site = fileURLToPath(new URL('../docs/site', import.meta.url))
const command = process.argv.includes('--build') ? 'build' : process.argv.includes('--preview') ? 'preview' : 'dev'
const others = process.argv.slice(2).filter((one) => one !== '--build' && one !== '--preview')

function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: site, stdio: 'inherit' })
  if (error) console.error(error.message)
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync(join(site, 'node_modules/vitepress'))) run('npm', ['ci', '--no-audit', '--no-fund'])
run(process.execPath, ['node_modules/vitepress/bin/vitepress.js', command, '.', ...others])
