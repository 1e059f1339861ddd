// Builds the packages that a server loads, or those that are named, from source to one file each: what a published package would hold, and a start that reads
// five files instead of two hundred. Other packages stay imports, so that each exists once.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = { protocol: ['index', 'limits', 'development', 'production'], schema: ['index'], server: ['index'], cli: ['main'] }

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(entries)
for (const [name, files] of Object.entries(entries).filter(([name]) => wanted.includes(name))) {
  const folder = join(root, 'packages', name)
  await build({
    entryPoints: files.map((file) => join(folder, 'src', `${file}.ts`)),
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
  })
}
// The server reads its migrations beside itself.
cpSync(join(root, 'packages/server/src/install/migrations'), join(root, 'packages/server/dist/migrations'), { recursive: true })
