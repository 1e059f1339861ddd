// `npm run simulate`: bundles the simulation with all that it runs into one file, in which what is imported on need comes as soon as everything else, and runs it.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'node_modules/.cache/headwater-simulation', String(process.pid))
mkdirSync(folder, { recursive: true })
cpSync(join(root, 'packages/server/src/install/migrations'), join(folder, 'migrations'), { recursive: true })
const outfile = join(folder, 'run.mjs')
await build({
  entryPoints: [join(root, 'test/simulation/run.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  outfile,
  conditions: ['@headwater/source', 'development'],
  plugins: [
    {
      name: 'others stay outside',
      setup: ({ onResolve }) => onResolve({ filter: /^[^./#]/ }, ({ path }) => (path.startsWith('@headwater/') ? null : { path, external: true })),
    },
  ],
  sourcemap: 'inline',
  logLevel: 'error',
})
const child = spawn(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 1)
})
