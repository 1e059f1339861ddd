// The first ten minutes of somebody new: from packages as they are published, in an empty folder, to two devices that are live.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, openBrowser } from '../harness/codecraft.ts'

const root = new URL('../..', import.meta.url).pathname
/** Headwater with all that it needs, an embedded PostgreSQL among it: 53 MB when it was last looked at. */
const installedKbMax = 80 * 1_024
let folder: string
let app: string

function run(cwd: string, program: string, ...args: readonly string[]): string {
  const { DATABASE_URL: _, ...given } = process.env
  const env = { ...given, npm_config_audit: 'false', npm_config_fund: 'false' }
  const ran = spawnSync(program, args, { cwd, encoding: 'utf8', env })
  if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}\n${ran.stdout}${ran.stderr}`)
  return ran.stdout
}

/** What docs/start.md says to type: in a clone, then in the folder of the app. */
const [inClone = [], inApp = []] = [...readFileSync(join(root, 'docs/start.md'), 'utf8').matchAll(/^```sh .*\n([\s\S]*?)^```$/gm)].map(([, block = '']) =>
  block.trim().split('\n'),
)

/** As a person types it, in the shell that they have. */
const type = (line: string): string => run(app, 'bash', '-c', line)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hw-init-'))
  app = join(folder, 'app')
  await mkdir(app)
  run(root, process.execPath, 'scripts/package.mjs', '--pack', join(folder, 'packed'))
}, 240_000)
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

describe('packages as they are published', () => {
  const tarballs = () => readdirSync(join(folder, 'packed')).map((name) => ({ name, bytes: readFileSync(join(folder, 'packed', name)) }))

  test('publint has nothing to say, and every file that is named is in them', { timeout: 240_000 }, async () => {
    expect(tarballs()).toHaveLength(readdirSync(join(root, 'packages')).length)
    for (const { name, bytes } of tarballs()) {
      const { messages } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, level: 'suggestion' })
      expect([name, messages]).toEqual([name, []])
      const names = run(join(folder, 'packed'), 'tar', '-tzf', name).split('\n')
      expect(names).toEqual(expect.arrayContaining(['package/LICENSE', 'package/README.md', 'package/package.json']))
    }
  })

  test('their types are found by everybody who can load them', { timeout: 240_000 }, async () => {
    for (const { name, bytes } of tarballs().filter(({ name }) => !name.startsWith('headwater-cli'))) {
      const checked = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)))
      // They are modules alone: what `require` of an older Node finds is not asked.
      const wrong =
        checked.types === false ? ['no types'] : checked.problems.filter((one) => !/^node1(0|6-cjs)$/.test('resolutionKind' in one ? one.resolutionKind : ''))
      expect([name, wrong]).toEqual([name, []])
    }
  })
})

describe('headwater init', () => {
  let dev: ChildProcess | null = null
  const said: string[] = []
  const browsers: Browser[] = []
  afterAll(async () => {
    for (const browser of browsers) await browser.close()
    if (dev?.exitCode === null && dev.kill('SIGTERM')) await once(dev, 'exit')
  })

  async function until(pattern: RegExp, after = 0): Promise<RegExpExecArray> {
    for (let i = 0; i < 1_200; i++) {
      const found = pattern.exec(said.join('').slice(after))
      if (found) return found
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`${pattern} was not said:\n${said.join('')}`)
  }

  test('in an empty folder: two devices live within ten commands', { timeout: 600_000 }, async () => {
    // What beforeAll did, in folders of its own.
    expect(inClone).toEqual(['npm install', 'npm run package -- --pack ../packed', 'mkdir ../lists', 'cd ../lists'])
    expect(inApp.length).toBeLessThanOrEqual(10)
    expect(inApp.at(-1)).toBe('npm run dev')
    const saidBy = inApp.slice(0, -1).map((line) => {
      const said = type(line)
      // Before what pages are built with comes, too.
      if (line.includes('.tgz')) expect(Number.parseInt(run(app, 'du', '-sk', 'node_modules'), 10)).toBeLessThan(installedKbMax)
      return said
    })
    expect(saidBy[inApp.indexOf('npx headwater init')]).toContain('npm run dev')
    const { DATABASE_URL: _, ...env } = process.env
    // Not by npm, which would be killed in its place.
    dev = spawn(process.execPath, ['node_modules/.bin/headwater', 'dev', '--vite', '--port', '0'], { cwd: app, env })
    for (const stream of [dev.stdout, dev.stderr]) stream?.on('data', (bytes) => said.push(String(bytes)))
    const [, url = ''] = await until(/● (http:\/\/\S+)/)

    const [ada, grace] = [await openBrowser(), await openBrowser()]
    browsers.push(ada, grace)
    for (const [browser, name] of [[ada, 'ada'] as const, [grace, 'grace'] as const]) {
      const page = browser.page()
      await page.goto(url)
      await page.getByLabel('Name').fill(name)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'Groceries' }).waitFor()
      await page.getByText('Live', { exact: true }).waitFor()
    }
    await ada.page().getByLabel('New item').fill('Honey')
    await ada.page().getByLabel('New item').press('Enter')
    await grace.page().getByText('Honey').waitFor()
    await grace.page().getByRole('checkbox', { name: 'Honey' }).check()
    await ada.page().getByRole('checkbox', { name: 'Honey', checked: true }).waitFor()
    const [, psql = ''] = await until(/psql (postgres:\S+)/)
    run(app, 'psql', psql, '-c', `update items set text = 'Coffee, ground' where text = 'Coffee'`)
    await grace.page().getByText('Coffee, ground').waitFor()
  })

  test('what is edited is taken over: a column of the schema, and an error is said and mended', { timeout: 240_000 }, async () => {
    const path = join(app, 'model/schema.ts')
    const schema = await readFile(path, 'utf8')
    let after = said.join('').length
    await writeFile(path, schema.replace('position: integer(),', 'position: integer()'.concat(', note: tex().nullable(),')))
    await until(/tex is not defined/, after)
    after = said.join('').length
    await writeFile(path, schema.replace('position: integer(),', 'position: integer(),\n    note: text().nullable(),'))
    await until(/psql (postgres:\S+)/, after)
    const [, psql = ''] = await until(/psql (postgres:\S+)/, after)
    run(app, 'psql', psql, '-c', `update items set note = 'organic'`)
    await browsers[0]?.page().getByText('Live', { exact: true }).waitFor()
  })

  test('its types are right, and it builds', { timeout: 240_000 }, async () => {
    run(app, 'npm', 'run', 'build')
    expect(readdirSync(join(app, 'dist'))).toContain('index.html')
  })

  test('twice changes nothing, and in an app of Vite and React its pages stay as they are', async () => {
    const again = JSON.parse(run(app, 'npx', 'headwater', 'init', '--json'))
    expect([again.kind, again.written]).toEqual(['vite', []])
    const other = join(folder, 'other')
    await mkdir(join(other, 'src'), { recursive: true })
    const manifest = { name: 'other', type: 'module', scripts: { dev: 'vite', build: 'vite build' }, dependencies: { react: '^19.0.0', vite: '^8.0.0' } }
    await writeFile(join(other, 'package.json'), JSON.stringify(manifest))
    await writeFile(join(other, 'src/main.tsx'), 'mine')
    await writeFile(join(other, '.gitignore'), 'node_modules')
    const made = JSON.parse(run(app, 'npx', 'headwater', 'init', other, '--json'))
    expect(made).toMatchObject({ kind: 'vite', kept: [] })
    expect(made.written).toEqual(expect.arrayContaining(['src/headwater.ts', 'model/schema.ts']))
    expect(made.written).not.toContain('src/App.tsx')
    expect(await readFile(join(other, 'src/main.tsx'), 'utf8')).toBe('mine')
    expect(await readFile(join(other, '.gitignore'), 'utf8')).toBe('node_modules\ndist/\n.headwater/\n.env\n')
    const { scripts, dependencies } = JSON.parse(await readFile(join(other, 'package.json'), 'utf8'))
    expect(scripts).toEqual({ dev: 'headwater dev --vite', build: 'vite build', start: 'headwater start' })
    expect(dependencies).toMatchObject({ react: '^19.0.0', '@headwater/client': '0.1.0' })
  })

  test('says what it cannot do: an app of another kind, and a package.json that is none', async () => {
    const strange = join(folder, 'strange')
    await mkdir(join(strange, 'src'), { recursive: true })
    await writeFile(join(strange, 'package.json'), '{}')
    expect(() => run(app, 'npx', 'headwater', 'init', strange)).toThrow(/not one of Vite and React/)
    await writeFile(join(strange, 'package.json'), '{')
    expect(() => run(app, 'npx', 'headwater', 'init', strange)).toThrow(/cannot be read as JSON/)
  })
})
