// The page of a browser that is killed: it writes as fast as it can say so, and tells the test what is saved.
import { createClient } from '@headwater/client'
import { counters, mutators, schema } from './app.ts'

declare global {
  interface Window {
    /** Of the test: told of each mutation once it is on the disk. */
    saved?: (id: string) => Promise<void>
    made: () => number
    pending: () => number
    write: () => void
    rest: () => void
  }
}

const client = createClient({ schema, mutators, url: location.origin, user: 'ada' })
let isWriting = false
let made = 0
Object.assign(window, {
  made: () => made,
  pending: () => (client.status.get().phase === 'live' ? client.status.get().pending : -1),
  rest: () => {
    isWriting = false
  },
  write: async () => {
    isWriting = true
    await client.ready
    while (isWriting) {
      const id = crypto.randomUUID()
      made += 2
      client.mutate.notes.insert({ id, ownerId: 'ada', line: 'of a page' }).saved.then(() => window.saved?.(`note ${id}`))
      client.mutate.count({ id: counters[0] ?? '' }).saved.then(() => window.saved?.('count'))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
})
