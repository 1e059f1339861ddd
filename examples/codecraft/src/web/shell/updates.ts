// A new version of the app is fetched behind the one that runs, and takes over when the person says so, or when no tab of the old one is open any more.

/** `ready`: a new one waits. `elsewhere`: another tab has changed over; this one goes on as it is until it is loaded anew. */
export type UpdateState = 'none' | 'ready' | 'elsewhere'

export interface Updates {
  get(): UpdateState
  subscribe(run: () => void): () => void
  /** Loads the page anew, in the new version. What was written is on the disk by then, or found by the page that comes (`docs/offline.md`). */
  take(): void
  /** Looks whether there is a new one; where nobody answers, there is none. */
  look(): Promise<void>
}

export interface UpdatesPorts {
  /** undefined: this browser has none, or does not give it to this page. */
  readonly container: Pick<ServiceWorkerContainer, 'register' | 'controller' | 'addEventListener'> | undefined
  readonly reload: () => void
}

/** Registers the service worker. Without one the app is as it is, online. */
export function createUpdates({ container, reload }: UpdatesPorts): Updates {
  let state: UpdateState = 'none'
  let registration: ServiceWorkerRegistration | null = null
  let isTaking = false
  // The first worker of a page takes over what had none: that is no new version.
  let hadOne = Boolean(container?.controller)
  const listeners = new Set<() => void>()
  const set = (next: UpdateState) => {
    state = next
    for (const run of listeners) run()
  }
  const isNext = () => Boolean(registration?.waiting && container?.controller)
  const follow = (worker: ServiceWorker | null) =>
    worker?.addEventListener('statechange', () => {
      if (isNext()) set('ready')
    })

  container?.addEventListener('controllerchange', () => {
    if (isTaking) reload()
    else if (hadOne) set('elsewhere')
    hadOne = true
  })
  container?.register('/sw.js').then(
    (made) => {
      registration = made
      if (isNext()) set('ready')
      follow(made.installing)
      made.addEventListener('updatefound', () => follow(made.installing))
    },
    // Private windows, and browsers that are told so, keep no app: it opens online.
    () => {},
  )
  return {
    get: () => state,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    take: () => {
      const next = registration?.waiting
      if (!next) return reload()
      isTaking = true
      next.postMessage('take-over')
    },
    look: async () => {
      await registration?.update().catch(() => {})
    },
  }
}
