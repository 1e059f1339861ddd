// Would a device's disk be faster in the origin's private file system? The same bytes by IndexedDB, by a file of the page, and by a file of a worker, in one page of Chromium.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeProfile, startChromium } from '../../test/contracts/chromium.ts'
import { type Figure, latencies } from '../figure.ts'
import type { OpfsFound } from '../opfs-page.ts'

/** About 100,000 rows as they lie packed. */
const megabytes = 30

export async function opfs(): Promise<readonly Figure[]> {
  const script = await readFile(new URL('./opfs-page.js', import.meta.url), 'utf8')
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(`<!doctype html><title>bench</title><script>${script}</script>`),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server has an address of this form.
  const { port } = server.address() as AddressInfo
  const profile = await makeProfile()
  const chromium = await startChromium(profile.path, `http://127.0.0.1:${port}/`)
  const page = await chromium.newPage()
  // The page has it as a global: see opfs-page.ts.
  const found = (await page.evaluate((size) => Reflect.get(globalThis, 'opfs')(size), megabytes)) as OpfsFound
  await chromium.close()
  await profile.remove()
  server.closeAllConnections()
  server.close()
  const { read, append } = found
  return [
    { name: 'reading 30 MB back, a file of the page', unit: 'ms', value: read.file, limit: read.database },
    { name: 'reading 30 MB back, a file of a worker', unit: 'ms', value: read.worker, limit: read.database },
    ...latencies('durable append to 30 MB, a file of the page', append.file, append.database),
    ...latencies('durable append to 30 MB, a file of a worker', append.worker, append.database),
  ]
}
