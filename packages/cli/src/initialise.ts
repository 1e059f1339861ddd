// What `headwater init` writes. Nothing that is there is changed, but package.json and .gitignore, to which lines are added.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HeadwaterError } from '@headwater/protocol'
import { version } from './version.ts'

export interface Made {
  /** `new`: the folder had no app. `vite`: it has one of Vite and React, which keeps its pages. */
  readonly kind: 'new' | 'vite'
  readonly written: readonly string[]
  /** Would have been written, and were there. */
  readonly kept: readonly string[]
  /** Added to package.json. */
  readonly dependencies: readonly string[]
  readonly scripts: readonly string[]
  /** What to do next, a command or a sentence each. */
  readonly steps: readonly string[]
}

const template = fileURLToPath(new URL('../template/', import.meta.url))

const dependencies = {
  // In production as well: `npm start` is its command.
  '@headwater/cli': version,
  '@headwater/client': version,
  '@headwater/react': version,
  '@headwater/schema': version,
  '@headwater/server': version,
  react: '19.3.1',
  'react-dom': '19.3.1',
  zod: '4.6.7',
}
const devDependencies = {
  '@types/node': '20.19.43',
  '@types/react': '19.3.0',
  '@types/react-dom': '19.3.0',
  '@vitejs/plugin-react': '6.3.0',
  typescript: '7.0.2',
  vite: '8.3.8',
}
const scripts = { dev: 'headwater dev --vite', build: 'tsc && vite build', start: 'headwater start' }

/** The parts of package.json that are read and added to. */
interface Manifest {
  readonly name?: string
  readonly type?: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly [member: string]: unknown
}

/** Throws `init` where it would have to guess. */
export async function initialise(folder: string, name: string): Promise<Made> {
  const manifest = await readManifest(folder)
  const has = (dependency: string) => manifest?.dependencies?.[dependency] !== undefined || manifest?.devDependencies?.[dependency] !== undefined
  const kind = manifest !== null && (has('vite') || existsSync(join(folder, 'src'))) ? 'vite' : 'new'
  if (kind === 'vite' && !(has('vite') && has('react')))
    throw new HeadwaterError(
      'init',
      `${folder} has an app that is not one of Vite and React.`,
      'Run it in an empty folder, and take over from there what you need.',
    )
  const { written, kept } = await copyTemplate(folder, kind)
  const added = await addToManifest(folder, manifest ?? { name: packageName(name), private: true }, kind)
  if (await addToGitignore(folder)) written.push('.gitignore')
  return { kind, written: written.sort(), kept: kept.sort(), ...added, steps: stepsOf(kind, added.scripts) }
}

async function readManifest(folder: string): Promise<Manifest | null> {
  const path = join(folder, 'package.json')
  if (!existsSync(path)) return null
  try {
    const manifest: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest)) return { ...manifest }
  } catch {
    // Said below.
  }
  throw new HeadwaterError('init', `${path} cannot be read as JSON.`, 'Mend it first.')
}

/** In an app that is there, its pages stay its own: only what Headwater reads, and the client, are added. */
async function copyTemplate(folder: string, kind: Made['kind']) {
  const [written, kept]: [string[], string[]] = [[], []]
  const files = (await readdir(template, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name).slice(template.length).replaceAll('\\', '/')
    if (path === '_gitignore' || (kind === 'vite' && !/^(model\/|server\/|headwater\.config\.ts$|src\/headwater\.ts$)/.test(path))) continue
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    const isWritten = await writeFile(target, await readFile(join(template, path)), { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw error
      },
    )
    if (isWritten) written.push(path)
    else kept.push(path)
  }
  return { written, kept }
}

async function addToManifest(folder: string, manifest: Manifest, kind: Made['kind']) {
  const has = (name: string) => manifest.dependencies?.[name] !== undefined || manifest.devDependencies?.[name] !== undefined
  const missing = (wanted: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(wanted).filter(([name]) => !has(name)))
  const [added, addedDev] = [missing(dependencies), missing(devDependencies)]
  // Vite's own server is what `dev` starts, with Headwater's beside it.
  const isFree = (name: string) => [undefined, 'vite', 'echo "Error: no test specified" && exit 1'].includes(manifest.scripts?.[name])
  const given = Object.entries(scripts).map(([name, script]) => [isFree(name) ? name : `headwater:${name}`, script] as const)
  const addedScripts = kind === 'new' ? given : given.filter(([name]) => !name.endsWith('build'))
  const sorted = (all: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
  const next = {
    ...manifest,
    // `npm init` says commonjs; nothing is there yet that would be it.
    type: kind === 'new' ? 'module' : (manifest.type ?? 'module'),
    scripts: { ...manifest.scripts, ...Object.fromEntries(addedScripts) },
    dependencies: sorted({ ...manifest.dependencies, ...added }),
    devDependencies: sorted({ ...manifest.devDependencies, ...addedDev }),
  }
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(next, null, 2)}\n`)
  return { dependencies: [...Object.keys(added), ...Object.keys(addedDev)], scripts: addedScripts.map(([name]) => name) }
}

/** True if it was made. */
async function addToGitignore(folder: string): Promise<boolean> {
  const path = join(folder, '.gitignore')
  const lines = await readFile(join(template, '_gitignore'), 'utf8')
  const there = await readFile(path, 'utf8').catch(() => null)
  const missing = lines.split('\n').filter((line) => line !== '' && !there?.split(/\r?\n/).some((one) => one.replace(/\/$/, '') === line.replace(/\/$/, '')))
  if (missing.length > 0)
    await writeFile(path, `${there === null || there === '' || there.endsWith('\n') ? (there ?? '') : `${there}\n`}${missing.join('\n')}\n`)
  return there === null
}

/** npm's rules for a name, as far as a folder may break them. */
const packageName = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '') || 'app'

function stepsOf(kind: Made['kind'], added: readonly string[]): readonly string[] {
  const dev = added.find((name) => name.endsWith('dev')) ?? 'dev'
  if (kind === 'new') return ['npm install', `npm run ${dev}`]
  return [
    'npm install',
    'src/main.tsx: sign in, make the client once, beside createRoot, and put it around your app. For a first look:',
    "  import { HeadwaterProvider } from '@headwater/react'",
    "  import { openClient } from './headwater.ts'",
    "  await fetch('/api/sign-in', { method: 'POST', body: JSON.stringify({ name: 'ada' }) })",
    "  const client = openClient('ada')",
    '  <HeadwaterProvider client={client}><App /></HeadwaterProvider>',
    'src/App.tsx: read, with the hooks of src/headwater.ts:',
    "  const { rows: lists } = useQuery((q) => q.lists.orderBy('title'))",
    `npm run ${dev}`,
    'Then: model/schema.ts says what is stored, model/access.ts who may write it, headwater.config.ts who holds what, server/session.ts who somebody is.',
  ]
}
