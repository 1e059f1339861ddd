import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

/** The promise itself: all of a device, React excluded. What is to come has to fit as well. */
const bytesMax = 20 * 1024

/** All that an app can use on a device. */
const entry = `
export { createClient } from '@headwater/client'
export { array, bigint, boolean, bytes, date, defineMutators, defineSchema, enumeration, float, integer, json, mutator, numeric, ref, table, text, timestamp, uuid } from '@headwater/schema'
export { createHooks, HeadwaterProvider } from '@headwater/react'
`

test('the whole of a device, with the IndexedDB disk, the socket and the React hooks, is at most 20 KB as a browser gets it', async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname, loader: 'ts' },
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
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  const parts = Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {})
  const byPackage = new Map<string, number>()
  for (const [path, { bytesInOutput }] of parts) {
    const name = /packages\/(\w+)/.exec(path)?.[1] ?? path
    byPackage.set(name, (byPackage.get(name) ?? 0) + bytesInOutput)
  }
  process.stdout.write(
    `device bundle: ${bytes} bytes gzip of ${bytesMax} (${[...byPackage].map(([name, size]) => `${name} ${size}`).join(', ')} before compression)\n`,
  )
  expect(parts.map(([path]) => path).filter((path) => path.includes('packages/server/') || path.startsWith('node:'))).toEqual([])
  expect(parts.map(([path]) => path).filter((path) => path.endsWith('disk/indexeddb.ts'))).toHaveLength(1)
  // What only helps in development is not in it.
  expect(outputFiles[0]?.text).not.toContain('mutator-unsteady')
  expect(bytes).toBeLessThanOrEqual(bytesMax)
})
