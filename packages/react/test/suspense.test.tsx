// @vitest-environment happy-dom
import { scopeKey } from '@headwater/protocol'
import { act, Component, type ReactNode, StrictMode, Suspense, startTransition, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFixture, type mutators, type schema } from '../../client/test/fixture.ts'
import { createHooks, createSuspenseQuery, HeadwaterProvider } from '../src/index.ts'

const { useQuery, useScope } = createHooks<typeof schema, typeof mutators>()
const useSuspenseQuery = createSuspenseQuery<typeof schema>()

// React asks for this where act() is used.
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

let root: Root
let page: HTMLElement
let fixture: ReturnType<typeof createFixture>
let client: ReturnType<typeof fixture.device>

beforeEach(() => {
  fixture = createFixture()
  fixture.peer.put('projects', ...[1, 2, 3].map((n) => ({ id: `p${n}`, ownerId: 'ada', title: `Title ${n}`, rank: n, isOpen: true })))
  client = fixture.device()
  page = document.createElement('div')
  root = createRoot(page)
})
afterEach(async () => {
  await act(async () => {
    root.unmount()
    await client.close()
  })
})

const render = (children: ReactNode) =>
  act(async () =>
    root.render(
      <StrictMode>
        <HeadwaterProvider client={client}>{children}</HeadwaterProvider>
      </StrictMode>,
    ),
  )
const advance = (ms: number) => act(() => fixture.clock.advance(ms))

function Title({ id }: { readonly id: string }) {
  const { rows, state } = useSuspenseQuery((q) => q.projects.where({ id }))
  return <p>{`${state} ${rows.map(({ title }) => title).join()};`}</p>
}

test('while nothing is known the boundary shows its fallback, and never a result that says loading', async () => {
  await render(
    <Suspense fallback="waiting">
      <Title id="p1" />
      <Title id="p2" />
    </Suspense>,
  )
  expect(page.textContent).toBe('waiting')
  await advance(100)
  expect(page.textContent).toBe('complete Title 1;complete Title 2;')
  await act(async () => client.mutate.projects.update({ id: 'p1', title: 'Mine' }))
  expect(page.textContent).toBe('complete Mine;complete Title 2;')
})

test('what is here already suspends nothing', async () => {
  await advance(100)
  let fallbacks = 0
  const Fallback = () => {
    fallbacks++
    return 'waiting'
  }
  await render(
    <Suspense fallback={<Fallback />}>
      <Title id="p1" />
    </Suspense>,
  )
  expect([page.textContent, fallbacks]).toEqual(['complete Title 1;', 0])
})

test('who leaves while it waits leaves nothing behind', async () => {
  await render(
    <Suspense fallback="waiting">
      <Title id="p1" />
    </Suspense>,
  )
  await render('gone')
  await advance(100)
  expect(page.textContent).toBe('gone')
})

test('a question that changes in a transition, with a write in the middle of it: hooks that ask the same never show two states', async () => {
  fixture.peer.grant([scopeKey('user', 'ada'), scopeKey('project', 'p1')])
  fixture.peer.put('messages', { id: '00000000-0000-4000-8000-000000000001', projectId: 'p1', content: 'hello', sequence: 1 })
  const seen: string[] = []
  let go = (_: string) => {}
  function Thread({ id }: { readonly id: string }) {
    const scope = useScope('project', id)
    const titles = useQuery((q) => q.projects.where({ id })).rows.map(({ title }) => title)
    const again = useSuspenseQuery((q) => q.projects.where({ id })).rows.map(({ title }) => title)
    seen.push(`${titles}|${again}`)
    return <p>{`${id} ${scope} ${titles}`}</p>
  }
  function App() {
    const [id, setId] = useState('p1')
    go = (next) => startTransition(() => setId(next))
    return <Thread id={id} />
  }
  await render(
    <Suspense fallback="waiting">
      <App />
    </Suspense>,
  )
  await advance(100)
  await advance(100)
  expect(page.textContent).toBe('p1 ready Title 1')
  await act(async () => {
    go('p2')
    client.mutate.projects.update({ id: 'p2', title: 'In the middle of it' })
  })
  expect(page.textContent).toBe('p2 loading In the middle of it')
  await advance(100)
  expect(seen.length).toBeGreaterThan(2)
  expect(seen.filter((text) => text.split('|')[0] !== text.split('|')[1])).toEqual([])
})

test('a question that cannot be asked is for the error boundary, and the rest of the app goes on', async () => {
  class Boundary extends Component<{ readonly children: ReactNode }, { readonly message: string | null }> {
    override state = { message: null }
    static getDerivedStateFromError = (error: Error) => ({ message: error.message })
    override render() {
      return this.state.message ?? this.props.children
    }
  }
  function Wrong() {
    // As JavaScript without types would.
    const { rows } = useSuspenseQuery((q) => q.projects.where({ nothing: 1 } as object))
    return <p>{rows.length}</p>
  }
  const errors: unknown[] = []
  root = createRoot(page, { onCaughtError: (error) => errors.push(error) })
  await render(
    <Suspense fallback="waiting">
      <Boundary>
        <Wrong />
      </Boundary>
      <Title id="p1" />
    </Suspense>,
  )
  await advance(100)
  expect(page.textContent).toContain('nothing')
  expect(page.textContent).toContain('complete Title 1;')
  expect(errors.length).toBeGreaterThan(0)
})

test('StrictMode, mounting again and leaving in flight hold a scope once and let go of it once', async () => {
  fixture.peer.grant([scopeKey('user', 'ada'), scopeKey('project', 'p1'), scopeKey('project', 'p2')])
  const asked = () => fixture.network.frames.flatMap(({ frame }) => (/^{"type":"(hold|release)"/.test(frame) ? [JSON.parse(frame)] : []))
  function Held({ id }: { readonly id: string }) {
    return <p>{useScope('project', id)}</p>
  }
  await advance(100)
  await render(
    <>
      <Held id="p1" />
      <Held id="p1" />
    </>,
  )
  // Gone before it was answered.
  await render(<Held id="p2" />)
  await render('nothing')
  await advance(100)
  expect(asked().map(({ type }) => type)).not.toContain('release')
  await advance(130_000)
  for (const said of ['hold', 'release']) expect(asked().flatMap(({ type, scopes }) => (type === said ? scopes : []))).toEqual(['project:p1', 'project:p2'])
})
