// The page of a browser that is killed: it writes as fast as it can say so, and tells the test what is saved.
import { createClient } from '@headwater/client'
import { counters, mutators, schema } from './app.ts'

declare global {
  interface Window {
    /** Of the test: told of each mutation once it is on the disk. */
    saved?: (id: string) => Promise<void>
    made: () => number
    pending: () => number
    /** As text: how the client stands, and what it reported. */
    state: () => string
    write: () => void
    rest: () => void
  }
}

const client = createClient({ schema, mutators, url: location.origin, user: 'ada' })
const errors: string[] = []
client.onError((error) => errors.push(`${error.code}: ${error.message}`))
let isWriting = false
let made = 0
Object.assign(window, {
  state: () => JSON.stringify({ ...client.status.get(), errors }),
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
      // What is pending is sent again after the kill: more would be waited for longer, and show nothing else.
      do await new Promise((resolve) => setTimeout(resolve, 5))
      while (client.status.get().pending > 300)
    }
  },
})
