// Builds every package as it is published: `dist` with JavaScript and types. With --pack FOLDER it is packed there as well, one tarball each.
//
// What devices load stays a file per module, so that an app's own bundler leaves out what is not used. Server and command line are a few files each (build.mjs).
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Each after those it imports: types are read from their `dist`. */
const packages = [
  { name: 'protocol' },
  { name: 'schema' },
  { name: 'client' },
  { name: 'server', isBundled: true },
  { name: 'react' },
  { name: 'testing' },
  { name: 'cli', isBundled: true },
]

function run(program, args, cwd = root) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  if (status === 0) return stdout
  console.error(`${program} ${args.join(' ')}\n${stdout}${stderr}`)
  process.exit(1)
}

/** Paths between modules end in .ts in the source, and in .js in what is published, in its types as well. */
function compile({ name, isBundled }) {
  const folder = join(root, 'packages', name)
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  const config = join(folder, 'tsconfig.build.json')
  const compilerOptions = {
    ...{ noEmit: false, allowImportingTsExtensions: false, rewriteRelativeImportExtensions: true, customConditions: [] },
    ...{ declaration: true, emitDeclarationOnly: isBundled === true, rootDir: 'src', outDir: 'dist' },
  }
  writeFileSync(config, JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['src'] }))
  try {
    run(join(root, 'node_modules/.bin/tsc'), ['-p', config])
  } finally {
    rmSync(config)
  }
  for (const path of readdirSync(join(folder, 'dist'), { recursive: true })) if (path.endsWith('.d.ts')) correct(join(folder, 'dist', path))
}

/** The compiler leaves the paths in types as they are in the source. */
function correct(path) {
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(/(from |import\()(['"])(\.{1,2}\/[^'"]+)\.tsx?\2/g, '$1$2$3.js$2'))
}

for (const one of packages) compile(one)
run(process.execPath, [join(root, 'scripts/build.mjs'), 'server', 'cli'])
const at = process.argv.indexOf('--pack')
if (at >= 0) {
  const target = resolve(process.argv[at + 1] ?? '')
  mkdirSync(target, { recursive: true })
  for (const { name } of packages) {
    const folder = join(root, 'packages', name)
    const { name: called, description } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
    writeFileSync(join(folder, 'README.md'), `# ${called}\n\n${description}\n\nPart of Headwater: one truth in PostgreSQL, an instant copy on every device.\n`)
    run('npm', ['pack', '--pack-destination', target], folder)
    for (const added of ['LICENSE', 'README.md']) rmSync(join(folder, added))
  }
}
