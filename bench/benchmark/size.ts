// What a browser gets for the client with the React binding, compressed. The limit is the promise itself.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import type { Figure } from '../figure.ts'

const bytesPerKb = 1_024
const promisedKb = 20

const entry = `
export { createClient } from '@headwater/client'
export { createHooks, HeadwaterProvider } from '@headwater/react'
`

export async function size(): Promise<readonly Figure[]> {
  const { outputFiles } = await build({
    // The process runs at the root of the repository.
    stdin: { contents: entry, resolveDir: process.cwd() },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@headwater/source'],
    external: ['react'],
  })
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  return [{ name: 'client with React hooks, gzip', unit: 'KB', value: bytes / bytesPerKb, limit: promisedKb }]
}
