// What docs/zustand.md shows: a store of before, and the same one on Headwater, with the same selectors and components.
import './window.ts'
import { defineMutators, defineSchema, enumeration, holdersMayWrite, type Row, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp, type TestDevice } from '@headwater/testing'
import { act } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { create, type StoreApi, type UseBoundStore } from 'zustand'
import { persist } from 'zustand/middleware'
import { useShallow } from 'zustand/react/shallow'

const { localStorage } = window

const schema = defineSchema({
  projects: table({ id: uuid().primaryKey(), ownerId: text(), title: text().max(200), status: enumeration('active', 'archived').default('active') }).in(
    'user',
    'ownerId',
  ),
})
const mutators = defineMutators(schema, {})
const access = holdersMayWrite(schema)
const grants = { user: sql`select distinct owner_id as "user", owner_id as key, 'self' as role from projects union select 'ada', 'ada', 'self'` }

type Project = Pick<Row<(typeof schema)['tables']['projects']>, 'id' | 'title' | 'status'>

interface ProjectsState {
  readonly projects: readonly Project[]
  readonly filter: Project['status']
  addProject(title: string): void
  rename(id: string, title: string): void
  setFilter(filter: Project['status']): void
}

const createBefore = () =>
  create<ProjectsState>()(
    persist(
      (set, get) => ({
        projects: [],
        filter: 'active',
        addProject: (title) => set({ projects: [...get().projects, { id: crypto.randomUUID(), title, status: 'active' }] }),
        rename: (id, title) => set({ projects: get().projects.map((project) => (project.id === id ? { ...project, title } : project)) }),
        setFilter: (filter) => set({ filter }),
      }),
      { name: 'projects' },
    ),
  )

type AppClient = TestDevice<typeof schema, typeof mutators>

const createAfter = (client: AppClient, user: string) =>
  create<ProjectsState>()(
    persist(
      (set) => ({
        projects: [],
        filter: 'active',
        addProject: (title) => void client.mutate.projects.insert({ id: client.id(), ownerId: user, title }),
        rename: (id, title) => void client.mutate.projects.update({ id, title }),
        setFilter: (filter) => set({ filter }),
      }),
      { name: 'projects', partialize: ({ filter }) => ({ filter }) },
    ),
  )

/** Keeps the store's projects as the device has them, from now on. The answer ends it. */
function follow(useProjects: UseBoundStore<StoreApi<ProjectsState>>, client: AppClient): () => void {
  const live = client.query.projects.orderBy('title').live()
  const show = () => useProjects.setState({ projects: live.result().rows })
  show()
  return live.subscribe(show)
}

const selectShown = ({ projects, filter }: ProjectsState) => projects.filter(({ status }) => status === filter)
const selectCount = ({ projects }: ProjectsState) => projects.length

function Projects({ useProjects }: { useProjects: UseBoundStore<StoreApi<ProjectsState>> }) {
  const shown = useProjects(useShallow(selectShown))
  const count = useProjects(selectCount)
  const rename = useProjects((state) => state.rename)
  return (
    <section>
      <h1>
        {shown.length} of {count}
      </h1>
      {shown.map(({ id, title }) => (
        <button key={id} type="button" onClick={() => rename(id, `${title}!`)}>
          {title}
        </button>
      ))}
    </section>
  )
}

async function draw(useProjects: UseBoundStore<StoreApi<ProjectsState>>) {
  const page = document.createElement('div')
  const root = createRoot(page)
  await act(async () => root.render(<Projects useProjects={useProjects} />))
  const texts = () => [...page.querySelectorAll('h1, button')].map(({ textContent }) => textContent)
  const press = (title: string) => act(async () => [...page.querySelectorAll('button')].find((button) => button.textContent === title)?.click())
  return { texts, press, unmount: () => act(async () => root.unmount()) }
}

test('the store of before, alone on its page', async () => {
  localStorage.clear()
  const useProjects = createBefore()
  const { texts, press, unmount } = await draw(useProjects)
  await act(async () => useProjects.getState().addProject('Mill'))
  await press('Mill')
  expect(texts()).toEqual(['1 of 1', 'Mill!'])
  await act(async () => useProjects.getState().setFilter('archived'))
  expect(texts()).toEqual(['0 of 1'])
  await unmount()
})

test('the same store on Headwater: its selectors and its components see what every device and the database do', async () => {
  localStorage.clear()
  await using app = await createTestApp({ schema, access, mutators, grants, settleMsMax: 25_000 })
  const [laptop, phone] = [await app.device('ada'), await app.device('ada')]
  const useProjects = createAfter(laptop, 'ada')
  const end = follow(useProjects, laptop)
  const { texts, press, unmount } = await draw(useProjects)
  const settled = () => act(() => app.settled())

  // In the same frame, before anybody else has heard of it.
  await act(async () => useProjects.getState().addProject('Mill'))
  expect(texts()).toEqual(['1 of 1', 'Mill'])
  await settled()
  expect(phone.query.projects.all()).toMatchObject([{ title: 'Mill', ownerId: 'ada', status: 'active' }])

  phone.mutate.projects.insert({ id: phone.id(), ownerId: 'ada', title: 'Barn' })
  await app.sql`update projects set status = 'archived' where title = 'Mill'`
  await settled()
  expect(texts()).toEqual(['1 of 2', 'Barn'])
  const [barn] = selectShown(useProjects.getState())

  // Rows that did not change are the same objects: what is memoised on them stays.
  await app.sql`update projects set title = 'Water mill' where title = 'Mill'`
  await settled()
  expect(selectShown(useProjects.getState())[0]).toBe(barn)
  await press('Barn')
  await settled()
  expect(phone.query.projects.where({ status: 'active' }).first()?.title).toBe('Barn!')

  // What is the device's own stays its own, and nothing of the rows is kept twice.
  await act(async () => useProjects.getState().setFilter('archived'))
  expect(texts()).toEqual(['1 of 2', 'Water mill'])
  expect(JSON.parse(localStorage.getItem('projects') ?? '')).toMatchObject({ state: { filter: 'archived' } })
  expect(localStorage.getItem('projects')).not.toContain('Water mill')

  end()
  await unmount()
})
