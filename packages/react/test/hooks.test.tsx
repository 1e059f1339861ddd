// @vitest-environment happy-dom
import { createClient, leastRecentlyUsed } from '@headwater/client'
import { scopeKey } from '@headwater/protocol'
import { act, type ReactNode, StrictMode, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFixture, mutators, schema } from '../../client/test/fixture.ts'
import { createHooks, HeadwaterProvider, usePreload } from '../src/index.ts'

const { useClient, useMutate, usePending, useQuery, useScope, useSetAside, useStatus } = createHooks<typeof schema, typeof mutators>()

// React asks for this where act() is used.
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

let root: Root
let page: HTMLElement
let fixture: ReturnType<typeof createFixture>

beforeEach(() => {
  fixture = createFixture()
  fixture.peer.put(
    'projects',
    { id: 'p1', ownerId: 'ada', title: 'One', rank: 1, isOpen: true },
    { id: 'p2', ownerId: 'ada', title: 'Two', rank: 2, isOpen: true },
  )
  page = document.createElement('div')
  root = createRoot(page)
})
afterEach(async () => {
  await act(async () => root.unmount())
})

async function render(children: ReactNode, isStrict = true) {
  const client = fixture.device()
  await act(async () => {
    root.render(
      isStrict ? (
        <StrictMode>
          <HeadwaterProvider client={client}>{children}</HeadwaterProvider>
        </StrictMode>
      ) : (
        <HeadwaterProvider client={client}>{children}</HeadwaterProvider>
      ),
    )
  })
  return client
}
const advance = (ms: number) => act(() => fixture.clock.advance(ms))

test('a query follows the store, from loading to complete, and shows a write at once', async () => {
  function Projects() {
    const { rows, state } = useQuery((q) => q.projects.where({ isOpen: true }).orderBy('rank', 'desc'))
    const { projects } = useMutate()
    return (
      <button
        type="button"
        onClick={() => projects.insert({ id: 'p3', title: 'Three', rank: 3 })}
      >{`${state}: ${rows.map(({ title }) => title).join(' ')}`}</button>
    )
  }
  await render(<Projects />)
  expect(page.textContent).toBe('loading: ')
  await advance(100)
  expect(page.textContent).toBe('complete: Two One')
  await act(async () => page.querySelector('button')?.click())
  expect(page.textContent).toBe('complete: Three Two One')
  await advance(100)
  expect(page.textContent).toBe('complete: Three Two One')
})

test('a component renders again when its own result changes and not otherwise, though it builds its query anew each time', async () => {
  let renders = 0
  const results = new Set<unknown>()
  function Open() {
    renders++
    const result = useQuery((q) => q.projects.where({ isOpen: true }))
    results.add(result)
    return <p>{result.rows.length}</p>
  }
  let again = () => {}
  function App() {
    const [count, setCount] = useState(0)
    again = () => setCount(count + 1)
    return <Open />
  }
  const client = await render(<App />, false)
  await advance(100)
  const before = renders
  await act(async () => {
    client.mutate.members.insert({ projectId: 'p1', person: 'ada' })
    client.mutate.projects.insert({ id: 'p9', title: 'Closed', isOpen: false })
  })
  await advance(100)
  expect(renders).toBe(before)
  const active = results.size
  for (let n = 0; n < 5; n++) await act(async () => again())
  await advance(10)
  expect(renders).toBe(before + 5)
  expect(results.size).toBe(active)
  await act(async () => {
    client.mutate.projects.update({ id: 'p1', title: 'Changed' })
  })
  expect(renders).toBe(before + 6)
})

test('two components with the same question share their rows', async () => {
  const seen: unknown[] = []
  const Rows = () => {
    seen.push(useQuery((q) => q.projects.where({ budget: null }).limit(1)).rows)
    return null
  }
  await render(
    <>
      <Rows />
      <Rows />
    </>,
    false,
  )
  await advance(100)
  expect(seen.at(-1)).toBe(seen.at(-2))
})

test('a question may change from render to render', async () => {
  let ask = (_: string) => {}
  function One() {
    const [id, setId] = useState('p1')
    ask = setId
    return <p>{useQuery((q) => q.projects.where({ id })).rows.map(({ title }) => title)}</p>
  }
  await render(<One />)
  await advance(100)
  expect(page.textContent).toBe('One')
  await act(async () => ask('p2'))
  expect(page.textContent).toBe('Two')
})

test('a scope is held while the component is mounted, in StrictMode once', async () => {
  fixture.peer.grant([scopeKey('user', 'ada'), scopeKey('project', 'p1')])
  fixture.peer.put('messages', { id: '00000000-0000-4000-8000-000000000001', projectId: 'p1', content: 'hello', sequence: 1 })
  function Thread({ id }: { readonly id: string | null }) {
    const scope = useScope('project', id)
    const { rows, state } = useQuery((q) => q.messages.orderBy('sequence'))
    return <p>{`${scope} ${state} ${rows.map(({ content }) => content).join()}`}</p>
  }
  let show = (_: string | null) => {}
  function App() {
    const [id, setId] = useState<string | null>('p1')
    show = setId
    return id === 'gone' ? null : <Thread id={id} />
  }
  const client = await render(<App />)
  expect(page.textContent).toBe('loading loading ')
  await advance(100)
  expect(page.textContent).toBe('ready complete hello')
  await act(async () => show('p2'))
  await advance(100)
  expect(page.textContent).toBe('denied partial hello')
  await act(async () => show(null))
  expect(page.textContent).toContain('ready')
  await act(async () => show('gone'))
  await advance(130_000)
  expect(client.query.messages.all()).toEqual([])
})

test('scopes are loaded ahead once for the same keys, and a scope with keep stays when the component is gone', async () => {
  fixture.peer.grant([scopeKey('user', 'ada'), ...['p1', 'p2', 'p3'].map((id) => scopeKey('project', id))])
  fixture.peer.put('messages', { id: '00000000-0000-4000-8000-000000000001', projectId: 'p3', content: 'hello', sequence: 1 })
  let show = (_: readonly string[]) => {}
  const seen: string[] = []
  function Thread() {
    seen.push(useScope('project', 'p3', { keep: true }))
    return null
  }
  function App() {
    const [ids, setIds] = useState<readonly string[]>(['p1', 'p2'])
    show = setIds
    usePreload('project', ids)
    return ids.includes('p3') ? <Thread /> : null
  }
  const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: fixture.ports(), eviction: leastRecentlyUsed({ rows: 0 }) })
  await act(async () => {
    root.render(<HeadwaterProvider client={client}>{<App />}</HeadwaterProvider>)
  })
  await advance(100)
  await act(async () => show(['p1', 'p2']))
  await advance(100)
  await act(async () => show(['p2', 'p3']))
  await advance(100)
  const asked = fixture.network.frames.flatMap(({ frame }) => (frame.startsWith('{"type":"hold"') ? [JSON.parse(frame).scopes] : []))
  expect(asked).toEqual([['project:p3']])
  expect(['p1', 'p2', 'p3'].map((id) => client.scopeState('project', id))).toEqual(['ready', 'ready', 'ready'])
  expect([seen.at(0), seen.at(-1)]).toEqual(['loading', 'ready'])
  await act(async () => show([]))
  await advance(300_000)
  expect(['p1', 'p2', 'p3'].map((id) => client.scopeState('project', id))).toEqual(['loading', 'loading', 'ready'])
  await client.close()
})

test('status, what is set aside, and the client itself', async () => {
  function Status() {
    const { phase, pending, setAside } = useStatus()
    const refused = useSetAside()
    return <p>{`${phase} ${pending} ${setAside} ${refused.map(({ code }) => code).join()} ${typeof useClient().id()}`}</p>
  }
  const client = await render(<Status />)
  await advance(100)
  expect(page.textContent).toBe('live 0 0  string')
  await act(async () => fixture.network.setOnline(false))
  await advance(1)
  await act(async () => {
    client.mutate.projects.insert({ id: 'p7', title: 'Mine' })
  })
  expect(page.textContent).toBe('connecting 1 0  string')
  fixture.peer.put('projects', { id: 'p7', ownerId: 'eve', title: 'Hers', rank: 0, isOpen: true })
  await act(async () => fixture.network.setOnline(true))
  await advance(60_000)
  expect(page.textContent).toBe('live 0 1 unique string')
})

test('without a provider the error says what to do', async () => {
  const Lost = () => <p>{useStatus().phase}</p>
  await expect(act(async () => root.render(<Lost />))).rejects.toMatchObject({
    code: 'no-client',
    message: 'There is no HeadwaterProvider around this component.',
  })
})

test('HC20 what waits is rendered with its state, and goes when it is discarded', async () => {
  function Waiting() {
    return (
      <ul>
        {usePending().map((one) => (
          <button type="button" key={one.id} onClick={() => void one.discard()}>{`${one.name} ${one.state()};`}</button>
        ))}
      </ul>
    )
  }
  const client = await render(<Waiting />)
  await advance(100)
  fixture.network.setOnline(false)
  await act(async () => {
    client.mutate.projects.insert({ id: 'p7', title: 'Mine' })
    client.mutate.projects.insert({ id: 'p8', title: 'Mine as well' })
  })
  expect(page.textContent).toBe('projects.insert saved;projects.insert saved;')
  await act(async () => page.querySelector('button')?.click())
  expect(page.textContent).toBe('projects.insert saved;')
  fixture.network.setOnline(true)
  await advance(60_000)
  expect(page.textContent).toBe('')
})
