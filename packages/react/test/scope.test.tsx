// On a real server, which needs Node's own environment: the page is made here, before React looks for it.
import { leastRecentlyUsed } from '@headwater/client'
import { defineSchema, holdersMayWrite, table, text } from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp } from '@headwater/testing'
import { Window } from 'happy-dom'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createHooks, HeadwaterProvider } from '../src/index.ts'

const window = new Window()
vi.stubGlobal('window', window)
vi.stubGlobal('document', window.document)
vi.stubGlobal('navigator', window.navigator)
const { createRoot } = await import('react-dom/client')

const schema = defineSchema({
  members: table({ thread: text(), person: text() }).primaryKey('thread', 'person').in('user', 'person'),
  messages: table({ id: text().primaryKey(), thread: text(), line: text() }).in('thread', 'thread', { load: 'onDemand' }),
})
const { useQuery, useScope } = createHooks<typeof schema>()

test('a component sees its scope denied, granted later, and taken away while it is in use', async () => {
  const app = await createTestApp({
    schema,
    access: holdersMayWrite(schema),
    grants: {
      user: sql`select distinct person as "user", person as key, 'self' as role from members`,
      thread: sql`select person as "user", thread as key, 'member' as role from members`,
    },
  })
  onTestFinished(() => app.close())
  await app.sql`insert into messages values ('m1', 't1', 'hello')`
  const client = await app.device('ada', { eviction: leastRecentlyUsed() })
  function Thread() {
    const state = useScope('thread', 't1', { keep: true })
    const { rows } = useQuery((q) => q.messages)
    return <p>{`${state} ${rows.map(({ line }) => line).join()}`}</p>
  }
  const page = document.createElement('div')
  const root = createRoot(page)
  root.render(<HeadwaterProvider client={client}>{<Thread />}</HeadwaterProvider>)
  await expect.poll(() => page.textContent).toBe('denied ')
  await app.sql`insert into members values ('t1', 'ada')`
  await expect.poll(() => page.textContent).toBe('ready hello')
  await app.sql`delete from members`
  await expect.poll(() => page.textContent).toBe('denied ')
  root.unmount()
})
