import { gzipSync } from 'node:zlib'
import { build } from 'vite'

export interface Bundle {
  readonly text: string
  readonly gzipBytes: number
  /** By path of a module, its bytes before they are minified. */
  readonly modules: ReadonlyMap<string, number>
}

/** What a browser gets of a module with this text, as an app's page is built: by Vite, with the minifier that it comes with. React is not in it. */
export async function bundle(text: string): Promise<Bundle> {
  const entry = new URL('./bundle-entry.ts', import.meta.url).pathname
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: new URL('../..', import.meta.url).pathname,
    resolve: { conditions: ['@headwater/source', 'production', 'module', 'browser'] },
    plugins: [{ name: 'entry', resolveId: (id) => (id === entry ? entry : null), load: (id) => (id === entry ? text : null) }],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, external: ['react'], preserveEntrySignatures: 'strict', output: { format: 'es' } },
    },
  })
  const [output] = [built].flat().flatMap((one) => ('output' in one ? one.output : []))
  if (output?.type !== 'chunk') throw new Error('Vite made no chunk.')
  const modules = new Map(Object.entries(output.modules).map(([path, { renderedLength }]) => [path, renderedLength]))
  return { text: output.code, gzipBytes: gzipSync(output.code, { level: 9 }).length, modules }
}
