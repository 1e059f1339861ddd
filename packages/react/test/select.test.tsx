// @vitest-environment happy-dom
import type { Result } from '@headwater/client'
import { act, type ReactNode, StrictMode, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFixture, type schema } from '../../client/test/fixture.ts'
import { createQuerySelect, HeadwaterProvider } from '../src/index.ts'

const useQuerySelect = createQuerySelect<typeof schema>()

// React asks for this where act() is used.
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

let root: Root
let page: HTMLElement
let fixture: ReturnType<typeof createFixture>
let client: ReturnType<typeof fixture.device>

beforeEach(async () => {
  fixture = createFixture()
  fixture.peer.put('projects', ...[1, 2, 3].map((n) => ({ id: `p${n}`, ownerId: 'ada', title: `Title ${n}`, rank: n, isOpen: true })))
  client = fixture.device()
  page = document.createElement('div')
  root = createRoot(page)
  await act(() => fixture.clock.advance(100))
})
afterEach(async () => {
  await act(async () => {
    root.unmount()
    await client.close()
  })
})

const within = (children: ReactNode) => <HeadwaterProvider client={client}>{children}</HeadwaterProvider>
const render = (children: ReactNode) => act(async () => root.render(within(children)))
const rename = (id: string, title: string) => act(async () => void client.mutate.projects.update({ id, title }))

test('renders when what is selected is something else, and for nothing besides', async () => {
  let renders = 0
  function Open() {
    renders++
    return (
      <p>
        {useQuerySelect(
          (q) => q.projects.where({ isOpen: true }),
          ({ rows }) => rows.length,
        )}
      </p>
    )
  }
  await render(<Open />)
  expect([page.textContent, renders]).toEqual(['3', 1])
  await rename('p1', 'Another')
  expect([page.textContent, renders]).toEqual(['3', 1])
  await act(async () => void client.mutate.projects.update({ id: 'p1', isOpen: false }))
  expect([page.textContent, renders]).toEqual(['2', 2])
})

test('what is made anew with the same members is the same, in StrictMode too; a row that changed makes it another', async () => {
  const seen = new Set<unknown>()
  function Ids() {
    const ids = useQuerySelect(
      (q) => q.projects.orderBy('id'),
      ({ rows }) => rows.map(({ id }) => id),
    )
    const first = useQuerySelect(
      (q) => q.projects.orderBy('id'),
      ({ rows: [row] }) => ({ row }),
    )
    seen.add(ids)
    return <p>{`${ids.join()} ${first.row?.title}`}</p>
  }
  await render(
    <StrictMode>
      <Ids />
    </StrictMode>,
  )
  await rename('p2', 'Another')
  await rename('p1', 'Mine')
  expect(page.textContent).toBe('p1,p2,p3 Mine')
  // A render that StrictMode throws away has nothing on the screen yet to go by.
  expect(seen.size).toBeLessThanOrEqual(2)
  const before = [...seen].at(-1)
  await rename('p3', 'Third')
  await rename('p1', 'Yours')
  expect([...seen].at(-1)).toBe(before)
})

test('what is selected by, and what is asked, may change from render to render', async () => {
  let choose: (at: number) => void = () => {}
  function Title() {
    const [at, setAt] = useState(1)
    choose = setAt
    return (
      <p>
        {useQuerySelect(
          (q) => q.projects.where({ id: `p${at}` }),
          ({ rows }) => `${at} ${rows[0]?.title}`,
        )}
      </p>
    )
  }
  await render(<Title />)
  for (const [at, text] of [
    [2, '2 Title 2'],
    [9, '9 undefined'],
    [1, '1 Title 1'],
  ] as const) {
    await act(async () => choose(at))
    expect(page.textContent).toBe(text)
  }
})

test('a function that stays the same runs once per result, and what it throws reaches the boundary above', async () => {
  let runs = 0
  const titles = ({ rows }: Result<{ readonly title: string }>) => {
    runs++
    return rows.map(({ title }) => title).join()
  }
  function Titles({ n }: { readonly n: number }) {
    return <p>{`${n} ${useQuerySelect((q) => q.projects.orderBy('id'), titles)}`}</p>
  }
  await render(<Titles n={1} />)
  await render(<Titles n={2} />)
  expect([page.textContent, runs]).toEqual(['2 Title 1,Title 2,Title 3', 1])
  await rename('p1', 'Mine')
  expect([page.textContent, runs]).toEqual(['2 Mine,Title 2,Title 3', 2])
})

test('rendered to text, it is what the store has', () => {
  const Count = () => (
    <p>
      {useQuerySelect(
        (q) => q.projects,
        ({ rows, state }) => `${state} ${rows.length}`,
      )}
    </p>
  )
  expect(renderToString(within(<Count />))).toBe('<p>complete 3</p>')
})
