// What docs/react.md shows, on two devices.
import './window.ts'
import { boolean, defineAccess, defineMutators, defineSchema, deny, eq, type Row, ref, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp } from '@headwater/testing'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { createHooks, HeadwaterProvider, useCan } from '../src/index.ts'

const schema = defineSchema({
  people: table({ id: text().primaryKey() }).in('person', 'id'),
  tasks: table({ id: uuid().primaryKey(), ownerId: ref('people'), title: text(), isDone: boolean().default(false) }).in('person', 'ownerId'),
  notes: table({ id: uuid().primaryKey(), taskId: ref('tasks'), line: text() }).in('task', 'taskId', { load: 'onDemand' }),
})
const mutators = defineMutators(schema, {})
const access = defineAccess(schema, {
  tasks: {
    insert: ({ row, person }) => eq(row.ownerId, person),
    update: { columns: { isDone: ({ row, person }) => eq(row.ownerId, person), title: deny } },
  },
})

const { useClient, useMutate, useQuery, useScope, useSetAside, useStatus } = createHooks<typeof schema, typeof mutators>()

const App = ({ client }: { client: Parameters<typeof HeadwaterProvider>[0]['client'] }) => (
  <HeadwaterProvider client={client}>
    <Board />
    <Sync />
    <Refused />
  </HeadwaterProvider>
)

function Board() {
  const { rows: tasks, state } = useQuery((q) => q.tasks.where({ isDone: false }).orderBy('title'))
  const mutate = useMutate()
  const id = useClient().id
  if (state === 'loading') return <p>Loading</p>
  return (
    <main>
      {tasks.map((task) => (
        <Task key={task.id} task={task} />
      ))}
      <button type="button" onClick={() => mutate.tasks.insert({ id: id(), ownerId: 'ada', title: 'Coffee' })}>
        Add
      </button>
    </main>
  )
}

function Task({ task }: { task: Row<(typeof schema)['tables']['tasks']> }) {
  const notes = useScope('task', task.id)
  const { rows } = useQuery((q) => q.notes.where({ taskId: task.id }).orderBy('line'))
  const can = useCan<typeof schema>()
  const mutate = useMutate()
  return (
    <article>
      <h2>{task.title}</h2>
      <p>{notes === 'ready' ? rows.map(({ line }) => line).join(', ') : notes}</p>
      <button type="button" disabled={!can.update.tasks(task, ['isDone'])} onClick={() => mutate.tasks.update({ id: task.id, isDone: true })}>
        Done
      </button>
    </article>
  )
}

function Sync() {
  const { online, pending, problem } = useStatus()
  return <output>{problem ? problem.message : `${online ? 'Live' : 'Offline'}, ${pending} to be sent`}</output>
}

function Refused() {
  const { setAside } = useClient()
  return useSetAside().map(({ id, name, reason }) => (
    <p key={id} role="alert">
      {name} was refused: {reason}{' '}
      <button type="button" onClick={() => setAside.retry(id)}>
        Try again
      </button>
      <button type="button" onClick={() => setAside.discard(id)}>
        Discard
      </button>
    </p>
  ))
}

test('two pages of one person: what is written, done and refused', { timeout: 240_000 }, async () => {
  await using app = await createTestApp({
    schema,
    access,
    mutators,
    settleMsMax: 25_000,
    grants: {
      person: sql`select id as "user", id as key, 'self' as role from people`,
      task: sql`select owner_id as "user", id as key, 'owner' as role from tasks`,
    },
  })
  await app.sql`insert into people values ('ada')`
  const devices = [await app.device('ada'), await app.device('ada')] as const
  const pages = devices.map((client) => ({ client, page: document.createElement('div') }))
  const roots = pages.map(({ page }) => createRoot(page))
  const shown = (find: (page: HTMLElement) => unknown) => expect.poll(() => pages.map(({ page }) => find(page)), { timeout: 60_000 })
  const press = (at: number, name: string) => [...(pages[at]?.page.querySelectorAll('button') ?? [])].find((button) => button.textContent === name)?.click()
  for (const [at, { client }] of pages.entries()) roots[at]?.render(<App client={client} />)

  await shown((page) => page.textContent).toEqual(['AddLive, 0 to be sent', 'AddLive, 0 to be sent'])
  press(0, 'Add')
  await shown((page) => page.querySelector('h2')?.textContent).toEqual(['Coffee', 'Coffee'])
  await app.settled()
  await app.sql`insert into notes select gen_random_uuid(), id, 'Beans' from tasks`
  await shown((page) => page.querySelector('article p')?.textContent).toEqual(['Beans', 'Beans'])

  devices[1].mutate.tasks.update({ id: devices[1].query.tasks.first()?.id ?? '', title: 'Tea' })
  await shown((page) => page.querySelector('[role=alert]')?.textContent?.split(':')[0]).toEqual([undefined, 'tasks.update was refused'])
  press(1, 'Discard')
  await shown((page) => page.querySelector('[role=alert]') === null).toEqual([true, true])

  press(1, 'Done')
  await shown((page) => page.querySelector('article') === null).toEqual([true, true])
  for (const root of roots) root.unmount()
})
