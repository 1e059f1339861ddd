// The trace of this page's client, as something that a panel can follow. A chunk of its own: a page without the trace loads nothing of it.
import { createTrace, type TraceEntry } from '@headwater/client'

export interface TraceStore {
  readonly ports: ReturnType<typeof createTrace>['ports']
  get(): readonly TraceEntry[]
  subscribe(run: () => void): () => void
  clear(): void
}

/** Tells of what is new once per frame, however much it is. */
export function createTraceStore(onFrame: (run: () => void) => void): TraceStore {
  const trace = createTrace({ print: () => told() })
  const listeners = new Set<() => void>()
  let entries: readonly TraceEntry[] = []
  let isAsked = false
  let cleared: TraceEntry | undefined
  const told = () => {
    if (isAsked) return
    isAsked = true
    onFrame(() => {
      isAsked = false
      show()
    })
  }
  const show = () => {
    const all = trace.entries()
    entries = all.slice(cleared ? all.indexOf(cleared) + 1 : 0)
    for (const run of listeners) run()
  }
  return {
    ports: trace.ports,
    get: () => entries,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    clear: () => {
      cleared = trace.entries().at(-1)
      show()
    },
  }
}
