import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

/** The promise: the client with the React binding, React itself excluded. */
const bytesMax = 20 * 1024
/** With what an app declares its schema by as well: every column type there is. Not promised, and looked at all the same. */
const bytesWithSchemaMax = 21 * 1024

const engine = `
export { createClient } from '@headwater/client'
export { createHooks, HeadwaterProvider } from '@headwater/react'
`
const schema = `
export { array, bigint, boolean, bytes, date, defineMutators, defineSchema, enumeration, float, integer, json, mutator, numeric, ref, table, text, timestamp, uuid } from '@headwater/schema'
`

test('the client with the IndexedDB disk, the socket and the React hooks is at most 20 KB as a browser gets it', async () => {
  const { bytes, text, parts } = await bundle(engine)
  const whole = await bundle(engine + schema)
  const byPackage = new Map<string, number>()
  for (const [path, { bytesInOutput }] of parts) {
    const name = /packages\/(\w+)/.exec(path)?.[1] ?? path
    byPackage.set(name, (byPackage.get(name) ?? 0) + bytesInOutput)
  }
  process.stdout.write(
    `device bundle: ${bytes} bytes gzip of ${bytesMax}, with every column type ${whole.bytes} (${[...byPackage].map(([name, size]) => `${name} ${size}`).join(', ')} before compression)\n`,
  )
  expect(parts.map(([path]) => path).filter((path) => path.includes('packages/server/') || path.startsWith('node:'))).toEqual([])
  expect(parts.map(([path]) => path).filter((path) => path.endsWith('disk/indexeddb.ts'))).toHaveLength(1)
  // What only helps in development is not in it.
  expect(text).not.toContain('mutator-unsteady')
  expect(bytes).toBeLessThanOrEqual(bytesMax)
  expect(whole.bytes).toBeLessThanOrEqual(bytesWithSchemaMax)
})

async function bundle(contents: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@headwater/source'],
    external: ['react'],
  })
  const text = outputFiles[0]?.text ?? ''
  return { text, bytes: gzipSync(text, { level: 9 }).length, parts: Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {}) }
}
