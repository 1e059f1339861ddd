// The service worker: it keeps the app itself, whole, on the device, so that it opens without a network. It knows nothing of data: what is the person's is never here.
// Invariant: a page and its chunks are of one version. A version is installed whole or not at all, and goes when no page of it can be open any more.
interface Shell {
  readonly version: string
  /** Paths of all that a build made, the page itself as `/`. */
  readonly files: readonly string[]
}

/** What the compiler does not know of the place where this runs; the libraries of pages and of workers cannot both be loaded. */
interface Worker {
  addEventListener(type: 'install' | 'activate', run: (event: { waitUntil(work: Promise<unknown>): void }) => void): void
  addEventListener(type: 'message', run: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'fetch', run: (event: { readonly request: Request; respondWith(response: Promise<Response>): void }) => void): void
  skipWaiting(): Promise<void>
  readonly clients: { claim(): Promise<void> }
  readonly location: Location
}

/** Put in by the build. */
declare const SHELL: Shell
// In a service worker the global object is one.
const worker = globalThis as unknown as Worker
const prefix = 'codecraft-shell '
const mine = prefix + SHELL.version
/** Of this version and the one before it: a tab that was open when this one took over still fetches chunks of its own. */
const versionsMax = 2

worker.addEventListener('install', (event) => event.waitUntil(install()))
worker.addEventListener('activate', (event) => event.waitUntil(Promise.all([forgetOlder(), worker.clients.claim()])))
worker.addEventListener('message', ({ data }) => {
  if (data === 'take-over') void worker.skipWaiting()
})
worker.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== worker.location.origin || /^\/(api|headwater)\//.test(pathname)) return
  if (request.mode === 'navigate') event.respondWith(pageOr(request))
  else if (SHELL.files.includes(pathname) || pathname.startsWith('/assets/')) event.respondWith(fileOr(request))
})

async function install(): Promise<void> {
  const cache = await caches.open(mine)
  await cache.addAll(SHELL.files.map((path) => new Request(path, { cache: 'reload' })))
}

/** Caches are listed in the order they were made. */
async function forgetOlder(): Promise<void> {
  const versions = (await caches.keys()).filter((name) => name.startsWith(prefix))
  const older = versions.filter((name) => name !== mine).slice(0, -(versionsMax - 1))
  await Promise.all(older.map((name) => caches.delete(name)))
}

/** Every address of the app is the one page. */
async function pageOr(request: Request): Promise<Response> {
  const cache = await caches.open(mine)
  return (await cache.match('/')) ?? fetch(request)
}

async function fileOr(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request)
}
