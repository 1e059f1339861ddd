// `headwater dev --vite`: the app's pages from Vite's own server, with what is Headwater's and the app's API passed on.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HeadwaterError } from '@headwater/protocol'
import type { AppFolder } from './app.ts'

/** The part of Vite that is used here. The app's own copy is loaded, of the version that it has chosen. */
interface Vite {
  createServer(config: object): Promise<{
    listen(): Promise<unknown>
    close(): Promise<void>
    readonly resolvedUrls: { readonly local: readonly string[] } | null
  }>
}

/** Paths that the server answers, and Vite does not: all but modules, which an app may have in a folder of that name. */
const serversPaths = ['headwater', 'api'].map((name) => `^/${name}/(?!.*\\.(ts|tsx|js|jsx|css)(\\?|$))`)

/** `target`: where the server listens. `port`: null for Vite's usual one, or the next that is free. */
export async function startVite(app: AppFolder, target: string, port: number | null): Promise<{ readonly url: string; close(): Promise<void> }> {
  const vite = await loadVite(app)
  const proxy = Object.fromEntries(serversPaths.map((path) => [path, { target, ws: true, changeOrigin: false }]))
  const server = await vite.createServer({
    root: app.folder,
    clearScreen: false,
    server: { host: '127.0.0.1', proxy, ...(port !== null && { port, strictPort: true }) },
  })
  await server.listen()
  return { url: server.resolvedUrls?.local[0]?.replace(/\/$/, '') ?? target, close: () => server.close() }
}

async function loadVite({ folder }: AppFolder): Promise<Vite> {
  try {
    return await import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve('vite')).href)
  } catch (error) {
    throw new HeadwaterError('vite', `Vite cannot be loaded in ${folder}.`, 'Run npm install --save-dev vite there, or leave --vite out.', { cause: error })
  }
}
