// What docs/trace.md shows, on a page whose server is away.
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

test('a trace is passed in, and prints what the client does', async () => {
  vi.stubGlobal('location', { href: 'http://127.0.0.1:9/' })
  const printed = vi.spyOn(console, 'debug').mockImplementation(() => {})
  const { client, trace } = await import('./trace-page.client.ts')
  await client.ready
  await expect.poll(() => trace.text(), { timeout: 30_000 }).toContain('connects to 127.0.0.1:9')
  await client.close()
  expect(printed.mock.calls.flat().join('\n')).toBe(trace.text())
})
