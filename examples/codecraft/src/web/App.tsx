import { HeadwaterProvider, PresenceProvider } from '@headwater/react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Route, Switch } from 'wouter'
import { Dashboard } from './dashboard/Dashboard.tsx'
import { NotFound } from './NotFound.tsx'
import { ProjectPage } from './project/ProjectPage.tsx'
import { useSession, useSessionState } from './session/SessionContext.ts'
import { SignIn } from './session/SignIn.tsx'
import type { CodecraftClient, Opened } from './session/session.ts'
import { Notices } from './sync/Notices.tsx'
import { useSwitchTrace } from './sync/useSwitchTrace.ts'
import { WritesContext } from './sync/WritesContext.ts'
import { createWrites } from './sync/writes.ts'

export function App() {
  const state = useSessionState()
  switch (state.type) {
    case 'checking':
      return null
    case 'signedOut':
      return <SignIn reason={state.reason} />
    case 'signedIn':
      return <Workspace key={state.person.id} client={state.client} presence={state.presence} />
  }
}

function Workspace({ client, presence }: Opened) {
  const [writes] = useState(createWrites)
  useSessionCheck(client)
  return (
    <HeadwaterProvider client={client}>
      <WritesContext value={writes}>
        <PresenceProvider presence={presence}>
          <Switch>
            <Route path="/">
              <Dashboard />
            </Route>
            <Route path="/projects/:id">{({ id }) => <ProjectPage key={id} id={id} />}</Route>
            <Route>
              <NotFound title="There is no such page">The address may be mistyped.</NotFound>
            </Route>
          </Switch>
        </PresenceProvider>
        <Notices />
        <Trace />
      </WritesContext>
    </HeadwaterProvider>
  )
}

/** The panel of the trace is a chunk as the trace itself is. */
const TracePanel = lazy(async () => ({ default: (await import('./trace/TracePanel.tsx')).TracePanel }))

function Trace() {
  const { trace } = useSession()
  const switchTrace = useSwitchTrace()
  if (!trace) return null
  return (
    <Suspense fallback={null}>
      <TracePanel trace={trace} onOff={() => switchTrace(false)} />
    </Suspense>
  )
}

/** When the engine was told that the session is nobody's or another person's, the session is asked for again. */
function useSessionCheck(client: CodecraftClient): void {
  const { session } = useSession()
  useEffect(() => {
    let last: string | null = null
    const follow = () => {
      const code = client.status.get().problem?.code ?? null
      const isNew = code !== last
      last = code
      if (isNew && (code === 'unauthenticated' || code === 'wrong-user')) void session.check()
    }
    follow()
    return client.status.subscribe(follow)
  }, [client, session])
}
