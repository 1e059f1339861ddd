// Several tabs of one person over one disk in memory.

import { diskName } from '../src/address.ts'
import { createClient } from '../src/client.ts'
import { createMemoryTabs } from '../src/tabs/memory.ts'
import { type Device, handlers, mutators, schema } from './fixture.ts'
import { createPage, type Page } from './page.ts'
import { createPeer, type PeerOptions } from './peer.ts'
import { createWorld } from './world.ts'

export interface Tab extends Page {
  readonly client: Device
}

export const storeName = (user = 'ada') => diskName(user, 'http://server/')

export function createTabs(options: Partial<PeerOptions> = {}) {
  const peer = createPeer({ schema, handlers, ...options })
  const world = createWorld(peer.accept, undefined, { isShared: true })
  const tabs = createMemoryTabs()
  const texts = new Map<string, string>()
  let seed = 1
  const open = (user = 'ada', more: object = {}): Tab => {
    const page = createPage({ ports: world.ports(seed++), tabs, texts })
    const client = createClient({ schema, mutators, url: 'http://server/', user, ports: page.ports, ...more })
    client.onError((error) => world.errors.push(error))
    return { ...page, client }
  }
  return { peer, ...world, tabs, texts, open }
}

export type Tabs = ReturnType<typeof createTabs>

/** What a tab shows: its rows, what is pending, and how it stands. */
export const shown = ({ client }: Tab) => ({
  rows: client.query.projects.orderBy('id').all(),
  pending: client.pending.get().map(({ id }) => id),
  setAside: client.setAside.list().map(({ id }) => id),
  status: client.status.get(),
})
