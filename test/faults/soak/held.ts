// What a process holds: memory after everything was collected that nobody needs, and what keeps it alive.

export type Held = Readonly<Record<'heap' | 'buffers' | 'resident' | 'handles', number>>

export function heldNow(): Held {
  if (globalThis.gc === undefined) throw new Error('Start this process with --expose-gc.')
  // What has a finalizer goes at the second time.
  for (let times = 0; times < 3; times++) globalThis.gc()
  const { heapUsed: heap, arrayBuffers: buffers, rss: resident } = process.memoryUsage()
  return { heap, buffers, resident, handles: process.getActiveResourcesInfo().length }
}
