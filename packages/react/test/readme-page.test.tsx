// What README.md shows: the declarations, and a component on two devices.
import './window.ts'
import { createTestApp } from '@headwater/testing'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { createHooks, HeadwaterProvider } from '../src/index.ts'
import config, { access, mutators, schema } from './readme-page.schema.ts'

const { useMutate, useQuery, useScope } = createHooks<typeof schema, typeof mutators>()

interface Shown {
  readonly rows: readonly { readonly id: string; readonly content: string; readonly sequence: number }[]
  readonly isLoading: boolean
  readonly onSend: (content: string) => void
}

function Messages({ rows, isLoading, onSend }: Shown) {
  return (
    <button type="button" onClick={() => onSend('Hello')}>
      {isLoading ? 'Loading' : rows.map(({ sequence, content }) => `${sequence} ${content}`).join()}
    </button>
  )
}

function Thread({ id }: { id: string }) {
  useScope('project', id) // its messages are held while this is on the screen
  const { rows, state } = useQuery((q) => q.messages.where({ projectId: id }).orderBy('sequence'))
  const { sendMessage } = useMutate()
  return <Messages rows={rows} isLoading={state !== 'complete'} onSend={(content) => sendMessage({ projectId: id, content })} />
}

test('a message that one device sends is on the other', { timeout: 240_000 }, async () => {
  const { authenticate: _, ...declared } = config
  const prepare = (database: { execute(text: string): Promise<void> }) =>
    database.execute(`create table if not exists users (id text primary key);
      create table if not exists members (user_id text, project_id uuid, role text, primary key (user_id, project_id));
      truncate users, members`)
  await using app = await createTestApp({ ...declared, settleMsMax: 25_000, schema, access, mutators, prepare })
  await app.sql`insert into users values ('ada'), ('bob')`
  const [ada, bob] = [await app.device('ada'), await app.device('bob')]
  const id = ada.id()
  ada.mutate.projects.insert({ id, ownerId: 'ada', title: 'Mill' })
  await app.settled()
  await app.sql`insert into members values ('bob', ${id}, 'editor')`

  const pages = [ada, bob].map((client) => {
    const page = document.createElement('div')
    const root = createRoot(page)
    return { client, page, root }
  })
  for (const { client, root } of pages)
    root.render(
      <HeadwaterProvider client={client}>
        <Thread id={id} />
      </HeadwaterProvider>,
    )
  const shown = () => expect.poll(() => pages.map(({ page }) => page.querySelector('button')?.textContent), { timeout: 60_000 })
  await shown().toEqual(['', ''])
  pages[1]?.page.querySelector('button')?.click()
  await shown().toEqual(['1 Hello', '1 Hello'])
  for (const { root } of pages) root.unmount()
})
