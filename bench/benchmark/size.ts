// What a browser gets for the client with the React binding, compressed. The limit is the promise itself.
import { bundle } from '../../test/harness/bundle.ts'
import type { Figure } from '../figure.ts'

const bytesPerKb = 1_024
const promisedKb = 20

export async function size(): Promise<readonly Figure[]> {
  const { gzipBytes } = await bundle(`
    export { createClient } from '@headwater/client'
    export { createHooks, HeadwaterProvider } from '@headwater/react'
  `)
  return [{ name: 'client with React hooks, gzip', unit: 'KB', value: gzipBytes / bytesPerKb, limit: promisedKb }]
}
