// Builds of one app, as a browser has them in tabs at the same time: one of former days, the one of now, and one to come.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { diskError, openTab } from './frozen-tab.ts'

export interface TabBuild {
  readonly openTab: typeof openTab
  readonly diskError: typeof diskError
}

/** `former`: as it was frozen. `newer`: made of what there is now, with the next format of a store, and words among tabs that nobody knows yet. */
export type BuildName = 'former' | 'present' | 'newer'

/** A module of one file, for Node as for a browser, which exports what frozen-tab.ts does. */
export async function buildText(name: BuildName): Promise<string> {
  if (name === 'former') return readFileSync(new URL('../fixtures/tab-0.1.0.txt', import.meta.url), 'utf8')
  const built = await build({
    entryPoints: [new URL('./frozen-tab.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    charset: 'utf8',
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@headwater/source'],
    plugins: name === 'newer' ? [ofAnotherTime] : [],
  })
  return built.outputFiles[0]?.text ?? ''
}

/** In Node, as it would be in a browser. */
export async function importBuild(name: BuildName): Promise<TabBuild> {
  const folder = await mkdtemp(join(tmpdir(), 'hw-build-'))
  const file = join(folder, `${name}.mjs`)
  await writeFile(file, await buildText(name))
  // The file exports what frozen-tab.ts does.
  const imported = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as TabBuild
  await rm(folder, { recursive: true })
  return imported
}

const edits: Readonly<Record<string, readonly [string, string]>> = {
  'store/record.ts': ['formatVersion: number = 1', 'formatVersion: number = 2'],
  'tabs/tabs.ts': [
    'channel.postMessage(JSON.stringify(message))',
    `(channel.postMessage('{"type":"since","format":2}'), channel.postMessage(JSON.stringify({ ...message, since: 2 })))`,
  ],
}

const ofAnotherTime: Plugin = {
  name: 'of another time',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/client\/src\/(store\/record|tabs\/tabs)\.ts$/ }, ({ path }) => {
      const [, [before, after] = ['', '']] = Object.entries(edits).find(([end]) => path.endsWith(end)) ?? []
      const text = readFileSync(path, 'utf8')
      if (!before || !text.includes(before)) throw new Error(`${path} is not what it was: a newer build cannot be made of it.`)
      return { contents: text.replace(before, () => after), loader: 'ts' }
    }),
}
