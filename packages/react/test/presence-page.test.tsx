// On a real server, which needs Node's own environment: the page is made here, before React looks for it.
import { createPresence } from '@headwater/client'
import type { Json } from '@headwater/protocol'
import { defineSchema, holdersMayWrite, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { Window } from 'happy-dom'
import { StrictMode } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HeadwaterProvider, PresenceProvider, usePresence } from '../src/index.ts'

const window = new Window()
vi.stubGlobal('window', window)
vi.stubGlobal('document', window.document)
vi.stubGlobal('navigator', window.navigator)
const { createRoot } = await import('react-dom/client')

const schema = defineSchema({
  members: table({ boardId: text(), person: text() }).primaryKey('boardId', 'person').in('board', 'boardId'),
  notes: table({ id: uuid().primaryKey(), boardId: text(), line: text() }).in('board', 'boardId', { load: 'onDemand' }),
})
const grants = { board: sql`select person as "user", board_id as key, 'member' as role from members` }

let app: TestApp<typeof schema, Record<never, never>>
beforeEach(async () => {
  app = await createTestApp({ schema, access: holdersMayWrite(schema), grants, settleMsMax: 30_000 })
  await app.sql`insert into members values ('b1', 'ada'), ('b1', 'bob')`
}, 120_000)
afterEach(() => app.close())

const patience = { timeout: 30_000 }
vi.setConfig({ testTimeout: 120_000 })

test('two people on a board see each other', async () => {
  const [adas, bobs] = [createPresence(), createPresence()]
  await app.device('ada', { presence: adas })
  await app.device('bob', { presence: bobs })

  const mine = adas.scope('board', 'b1')
  mine.say({ typing: true })
  const board = bobs.scope('board', 'b1')
  await expect.poll(() => board.get(), patience).toMatchObject({ state: 'here', others: [{ user: 'ada', value: { typing: true } }], count: 1 })

  mine.say({ typing: false })
  await expect.poll(() => board.get().others[0]?.value, patience).toEqual({ typing: false })

  mine.release()
  await expect.poll(() => board.get().others, patience).toEqual([])

  await app.sql`delete from members where person = 'bob'`
  await expect.poll(() => board.get().state, patience).toBe('denied')
})

function isTyping(value: Json): boolean {
  return typeof value === 'object' && value !== null && 'typing' in value && value.typing === true
}

function Typing({ board, draft }: { board: string; draft: string }) {
  const { others } = usePresence('board', board, { typing: draft !== '' })
  const names = others.filter(({ value }) => isTyping(value)).map(({ user }) => user)
  return <p>{names.length > 0 ? `${names.join(', ')} …` : ''}</p>
}

test('a component shows who is typing, says it of itself, and is gone when it is', async () => {
  const [adas, bobs] = [createPresence(), createPresence()]
  const client = await app.device('ada', { presence: adas })
  await app.device('bob', { presence: bobs })
  const board = bobs.scope('board', 'b1')
  const page = document.createElement('div')
  const root = createRoot(page)
  const render = (draft: string | null) =>
    root.render(
      <StrictMode>
        <HeadwaterProvider client={client}>
          <PresenceProvider presence={adas}>{draft !== null && <Typing board="b1" draft={draft} />}</PresenceProvider>
        </HeadwaterProvider>
      </StrictMode>,
    )
  render('')
  await expect.poll(() => board.get().others, patience).toMatchObject([{ user: 'ada', value: { typing: false } }])
  render('H')
  await expect.poll(() => board.get().others, patience).toMatchObject([{ user: 'ada', value: { typing: true } }])
  expect(page.textContent).toBe('')
  board.say({ typing: true })
  await expect.poll(() => page.textContent, patience).toBe('bob …')
  // What anybody says is anything.
  board.say('<b>typing</b>')
  await expect.poll(() => page.textContent, patience).toBe('')
  render(null)
  await expect.poll(() => board.get().others, patience).toEqual([])
  root.unmount()
})

test('what looks on without a value is not shown, and without a key there is nobody', async () => {
  const [adas, bobs] = [createPresence(), createPresence()]
  await app.device('ada', { presence: adas })
  await app.device('bob', { presence: bobs })
  bobs.scope('board', 'b1').say(1)
  function Count({ board }: { board: string | null }) {
    const { state, others, count } = usePresence('board', board)
    return <p>{`${state} ${others.length} of ${count}`}</p>
  }
  const page = document.createElement('div')
  const root = createRoot(page)
  root.render(
    <PresenceProvider presence={adas}>
      <Count board={null} />
    </PresenceProvider>,
  )
  await expect.poll(() => page.textContent, patience).toBe('connecting 0 of 0')
  root.render(
    <PresenceProvider presence={adas}>
      <Count board="b1" />
    </PresenceProvider>,
  )
  await expect.poll(() => page.textContent, patience).toBe('here 1 of 1')
  root.unmount()
})
