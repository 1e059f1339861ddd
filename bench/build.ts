// Benchmarks, servers and pages are bundled before they run, as an app is before it is deployed: a loader of TypeScript would be in their
// memory, and what it adds to every function that has a name would be in their time.
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Plugin } from 'esbuild'

const folder = dirname(fileURLToPath(import.meta.url))
const programs = ['child-main', 'server-main', 'cold-start-main', 'bare-main', 'holder-main']
const pages = ['page-main', 'dexie-page', 'opfs-page', 'frames-page']
const common: BuildOptions = { bundle: true, format: 'esm', target: 'es2022', conditions: ['@headwater/source'], logLevel: 'warning' }

export interface Built {
  /** The program that runs one benchmark. Its fellows lie beside it. */
  readonly child: string
  remove(): Promise<void>
}

/** Inside of the repository, and not in the folder for temporary files, so that the bundles find node_modules. */
export async function buildAll(): Promise<Built> {
  await mkdir(join(folder, 'results'), { recursive: true })
  const outdir = await mkdtemp(join(folder, 'results', 'build-'))
  await build({
    ...common,
    outdir,
    entryPoints: programs.map((name) => join(folder, `${name}.ts`)),
    platform: 'node',
    outExtension: { '.js': '.mjs' },
    plugins: [external],
  })
  await build({
    ...common,
    outdir,
    entryPoints: pages.map((name) => join(folder, `${name}.ts`)),
    platform: 'browser',
    format: 'iife',
    minify: true,
  })
  await cp(join(folder, '../packages/server/src/install/migrations'), join(outdir, 'migrations'), { recursive: true })
  // The server reads its version from one level above where it is built to.
  await cp(join(folder, '../packages/server/package.json'), join(outdir, '../package.json'))
  return { child: join(outdir, 'child-main.mjs'), remove: () => rm(outdir, { recursive: true, force: true }) }
}

/** Everything that is not ours stays where npm put it. */
const external: Plugin = {
  name: 'external',
  setup: ({ onResolve }) => onResolve({ filter: /^[^./]/ }, ({ path }) => (path.startsWith('@headwater/') || path.startsWith('#') ? null : { external: true })),
}
