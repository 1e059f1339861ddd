// What docs/offline.md shows, in a page whose server is away and whose browser lets it keep nothing.
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => vi.unstubAllGlobals())

test('a client with a first paint starts where nothing can be kept', async () => {
  vi.stubGlobal('location', { href: 'http://127.0.0.1:9/' })
  const { client } = await import('./offline-page.client.ts')
  await client.ready
  expect(client.query.projects.live().result().rows).toEqual([])
  expect(client.status.get().problem).toMatchObject({ code: 'disk-blocked' })
  await client.close()
})
