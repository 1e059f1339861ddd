import { expect, test } from 'vitest'
import { bundle } from '../../../test/harness/bundle.ts'

/** The promise: the client with the React binding, React itself excluded. */
const bytesMax = 20 * 1024
/** With what an app declares its schema by as well: every column type there is. Not promised, and looked at all the same. */
const bytesWithSchemaMax = 22 * 1024
/** What is fetched on need, by the chunk's name: what few devices ever load, or load when nobody waits. */
const laterBytesMax: Readonly<Record<string, number>> = { later: 4_750, plain: 1_200, tabs: 5_350 }

const engine = `
export { createClient } from '@headwater/client'
export { createHooks, HeadwaterProvider } from '@headwater/react'
`
const schema = `
export { array, bigint, boolean, bytes, date, defineMutators, defineSchema, enumeration, float, integer, json, mutator, numeric, ref, table, text, timestamp, uuid } from '@headwater/schema'
`

test('the client with the IndexedDB disk, the socket and the React hooks is at most 20 KB as a browser gets it', async () => {
  const { gzipBytes, text, modules, later } = await bundle(engine)
  const whole = await bundle(engine + schema)
  const byPackage = new Map<string, number>()
  for (const [path, size] of modules) {
    const name = /packages\/(\w+)/.exec(path)?.[1] ?? path
    byPackage.set(name, (byPackage.get(name) ?? 0) + size)
  }
  process.stdout.write(
    `device bundle: ${gzipBytes} bytes gzip of ${bytesMax}, with every column type ${whole.gzipBytes} (${[...byPackage].map(([name, size]) => `${name} ${size}`).join(', ')} before it is minified)\n${later.map((chunk) => `  on need, ${chunk.name}: ${chunk.gzipBytes}\n`).join('')}`,
  )
  const paths = [...modules.keys()]
  expect(paths.filter((path) => path.includes('packages/server/') || path.startsWith('node:'))).toEqual([])
  expect(paths.filter((path) => path.endsWith('disk/indexeddb.ts'))).toHaveLength(1)
  // What only helps in development is not in it.
  expect(text).not.toContain('mutator-unsteady')
  expect(Object.keys(laterBytesMax).toSorted()).toEqual(later.map(({ name }) => name).toSorted())
  for (const { name, gzipBytes: bytes } of later) expect(bytes, name).toBeLessThanOrEqual(laterBytesMax[name] ?? 0)
  expect(gzipBytes).toBeLessThanOrEqual(bytesMax)
  expect(whole.gzipBytes).toBeLessThanOrEqual(bytesWithSchemaMax)
})
