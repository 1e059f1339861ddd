import { gzipSync } from 'node:zlib'
import { build } from 'vite'

interface Chunk {
  readonly name: string
  readonly text: string
  readonly gzipBytes: number
  /** By path of a module, its bytes before they are minified. */
  readonly modules: ReadonlyMap<string, number>
}

export interface Bundle extends Chunk {
  /** What is fetched when it is needed, and not before. */
  readonly later: readonly Chunk[]
}

/**
 * Vite wraps every `import()` of a page in a function of its own, once per page, which fetches what the chunk imports at the same time. It is
 * Vite's, no other bundler has it, and every page has it that is split at all: it is not counted here.
 */
const helper = '\0vite/preload-helper.js'
const plainHelper = 'export const __vitePreload = (load) => load()'

/**
 * What a browser gets of a module with this text, as an app's page is built: by Vite, with the minifier that it comes with. React is not in it.
 * The bundle itself is what every page loads at once: the entry and what it imports.
 */
export async function bundle(text: string): Promise<Bundle> {
  const entry = new URL('./bundle-entry.ts', import.meta.url).pathname
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: new URL('../..', import.meta.url).pathname,
    resolve: { conditions: ['@headwater/source', 'production', 'module', 'browser'] },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id === entry ? entry : null),
        load: (id) => (id === entry ? text : id === helper ? plainHelper : null),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, external: ['react'], preserveEntrySignatures: 'allow-extension', output: { format: 'es' } },
    },
  })
  const outputs = [built].flat().flatMap((one) => ('output' in one ? one.output : []))
  const chunks = outputs.flatMap((one) => (one.type === 'chunk' ? [one] : []))
  const [first] = chunks
  if (first?.type !== 'chunk') throw new Error('Vite made no chunk.')
  const atOnce = new Set([first.fileName, ...first.imports])
  const measured = (of: typeof chunks): Chunk => {
    const code = of.map((one) => one.code).join('\n')
    const modules = new Map(of.flatMap((one) => Object.entries(one.modules).map(([path, { renderedLength }]) => [path, renderedLength] as const)))
    return { name: of[0]?.name ?? '', text: code, gzipBytes: of.reduce((sum, one) => sum + gzipSync(one.code, { level: 9 }).length, 0), modules }
  }
  return {
    ...measured(chunks.filter(({ fileName }) => atOnce.has(fileName))),
    later: chunks.filter(({ fileName }) => !atOnce.has(fileName)).map((one) => measured([one])),
  }
}
