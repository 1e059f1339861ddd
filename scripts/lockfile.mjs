// Completes package-lock.json, and that of the documentation's site: npm run lockfile, after every npm install. With --check it changes nothing, and fails if
// it would.
//
// Packages with native code name one optional package per platform. npm leaves out of the lockfile those that the registry of the moment
// does not have, and `npm ci` then refuses the lockfile on every machine. Here they are added: the version as it is asked for, and the
// platform from the package's name, so that `npm ci` passes over all but its own. What a name does not tell, the checksum, is left out.
import { readFileSync, writeFileSync } from 'node:fs'

const isCheck = process.argv.includes('--check')
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

for (const name of ['package-lock.json', 'docs/site/package-lock.json']) complete(name)

function complete(name) {
  const path = new URL(`../${name}`, import.meta.url)
  const lockfile = JSON.parse(readFileSync(path, 'utf8'))
  const added = Object.entries(lockfile.packages).flatMap(([from, parent]) =>
    Object.entries(parent.optionalDependencies ?? {})
      .filter(([optional]) => !found(lockfile, from, optional))
      .map(([optional, version]) => [`node_modules/${optional}`, entryOf(optional, version, parent)]),
  )
  if (isCheck) {
    for (const [missing] of added) console.error(`${name}:1 ${missing} is missing: npm run lockfile`)
    if (added.length > 0) process.exitCode = 1
    return
  }
  const all = [...Object.entries(lockfile.packages), ...added].sort(([a], [b]) => a.localeCompare(b, 'en'))
  lockfile.packages = Object.fromEntries(all)
  if (added.length > 0) writeFileSync(path, `${JSON.stringify(lockfile, null, 2)}\n`)
  console.log(`${name}: ${added.length} packages of other platforms added`)
}

/** Where `name` is found from the package at `from`: in its own node_modules, or in those of a folder around it. */
function found(lockfile, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (`${folder ? `${folder}/` : ''}node_modules/${name}` in lockfile.packages) return true
    if (folder === '') return false
  }
}

function entryOf(name, version, parent) {
  if (!/^\d+\.\d+\.\d+[\w.-]*$/.test(version))
    throw new Error(`${name}@${version} is not one exact version: complete the lockfile by npm install at a registry that has it.`)
  const parts = name.split(/[/-]/)
  const one = (known) => known.filter((word) => parts.includes(word)).slice(0, 1)
  const [os, cpu] = [one(systems), one(processors)]
  if (cpu.length === 0) throw new Error(`${name} does not say for which platform it is.`)
  const isMusl = /musl/.test(name)
  const libc = os[0] === 'linux' && /musl|gnu/.test(name) ? { libc: [isMusl ? 'musl' : 'glibc'] } : {}
  return { version, cpu, ...(parent.dev && { dev: true }), ...libc, optional: true, ...(os.length > 0 && { os }) }
}
