// A tab of the person in the cookie, with all of its client as globals.
import { createClient, createPresence, type Status } from '@headwater/client'
import { mutators, schema } from './schema.ts'

export interface Shown {
  readonly notes: readonly string[]
  readonly status: Status
  /** Connections that this tab has. */
  readonly sockets: number
  readonly others: readonly unknown[]
}

export interface Tab {
  shown(): Shown
  /** Resolves when the database has it: with the milliseconds that took. */
  write(id: string): Promise<number>
  /** Resolves when it is on the disk. */
  save(id: string): Promise<number>
  leaveWith(id: string): void
  here(value: string): void
  wipe(): Promise<void>
  /** Stands still until the server has answered, which is when the test wants it. */
  standStill(): void
}

declare global {
  interface Window {
    tab: Tab
  }
}

const sockets = new Set<WebSocket>()
window.WebSocket = class extends WebSocket {
  constructor(...asked: ConstructorParameters<typeof WebSocket>) {
    super(...asked)
    this.addEventListener('open', () => sockets.add(this))
    this.addEventListener('close', () => sockets.delete(this))
  }
}

const presence = createPresence()
const client = createClient({ schema, mutators, url: '/', user: /person=(\w+)/.exec(document.cookie)?.[1] ?? '', ports: presence.ports() })
const insert = (id: string) => client.mutate.notes.insert({ id, boardId: 'b1' })
const board = presence.scope('board', 'b1')

window.tab = {
  shown: () => ({
    notes: client.query.notes
      .orderBy('id')
      .all()
      .map(({ id }) => id),
    status: client.status.get(),
    sockets: sockets.size,
    others: board.get().others.map(({ value }) => value),
  }),
  write: async (id) => {
    const startMs = performance.now()
    const { type } = await insert(id).confirmed
    if (type !== 'applied') throw new Error(`${id} is ${type}.`)
    return performance.now() - startMs
  },
  save: async (id) => {
    const startMs = performance.now()
    await insert(id).saved
    return performance.now() - startMs
  },
  leaveWith: (id) => {
    insert(id)
    location.replace('about:blank')
  },
  here: (value) => board.say(value),
  wipe: client.wipe,
  standStill: () =>
    void setTimeout(() => {
      const request = new XMLHttpRequest()
      request.open('GET', '/standing-still', false)
      request.send()
    }),
}
