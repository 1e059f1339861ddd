// @vitest-environment happy-dom
import { createClient } from '@headwater/client'
import { defineAccess, role } from '@headwater/schema'
import { act, Component, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { createFixture, project, schema } from '../../client/test/fixture.ts'
import { HeadwaterProvider, useCan } from '../src/index.ts'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

const access = defineAccess(schema, { projects: { update: role('user', 'editor') } }, { roles: { user: ['viewer', 'editor', 'owner'] } })

function Rename() {
  const can = useCan<typeof schema>()
  return <button type="button" disabled={!can.update.projects({ ...project('p1'), budget: null, settings: null, updatedAt: null }, ['title'])} />
}

test('a component hears of it when the roles of the person change, and roles that are not known allow nothing', async () => {
  const fixture = createFixture()
  const client = createClient({ schema, access, url: 'http://server/', user: 'ada', ports: fixture.ports(1) })
  const page = document.createElement('div')
  const root = createRoot(page)
  const isDisabled = () => page.querySelector('button')?.disabled
  await act(async () => root.render(<HeadwaterProvider client={client}>{<Rename />}</HeadwaterProvider>))
  await act(() => fixture.clock.advance(100))
  expect(isDisabled()).toBe(true)
  // The peer says nothing of roles: here they are put into the checkpoints that it sends for a change of a row.
  let tag = 0
  const holdAs = async (...roles: readonly string[]) => {
    fixture.network.tamper = (frame) => {
      const message = JSON.parse(frame)
      return [message.type === 'checkpoint' ? JSON.stringify({ ...message, grants: { tag: `t${++tag}`, replace: true, roles: { 'user:ada': roles } } }) : frame]
    }
    fixture.peer.put('projects', { ...project(`p${tag}`), rank: tag })
    await act(() => fixture.clock.advance(100))
  }
  await holdAs('viewer')
  expect(isDisabled()).toBe(true)
  await holdAs('viewer', 'owner')
  expect(isDisabled()).toBe(false)
  await holdAs('viewer')
  expect(isDisabled()).toBe(true)
  await act(async () => root.unmount())
  await client.close()
})

class Catch extends Component<{ readonly children: ReactNode; readonly caught: unknown[] }> {
  override state = { isOver: false }
  static getDerivedStateFromError = () => ({ isOver: true })
  override componentDidCatch(error: unknown) {
    this.props.caught.push(error)
  }
  override render() {
    return this.state.isOver ? null : this.props.children
  }
}

test('a client without access says so to who asks', async () => {
  const client = createFixture().device()
  const caught: unknown[] = []
  const root = createRoot(document.createElement('div'), { onCaughtError: () => {} })
  await act(async () =>
    root.render(
      <HeadwaterProvider client={client}>
        <Catch caught={caught}>
          <Rename />
        </Catch>
      </HeadwaterProvider>,
    ),
  )
  expect(caught).toMatchObject([{ code: 'no-access' }])
  await act(async () => root.unmount())
  await client.close()
})
