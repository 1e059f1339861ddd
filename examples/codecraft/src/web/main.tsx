import './styles.css'
import { createClient, createPresence, lastScreen } from '@headwater/client'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { access } from '../access.ts'
import { mutators } from '../mutators.ts'
import { schema } from '../schema.ts'
import { App } from './App.tsx'
import { createPeople } from './session/people.ts'
import { createRemembered, personKey } from './session/remembered.ts'
import { createRequests } from './session/requests.ts'
import { SessionContext } from './session/SessionContext.ts'
import { createSession } from './session/session.ts'
import { UpdateNotice } from './shell/UpdateNotice.tsx'
import { createUpdates } from './shell/updates.ts'
import type { TraceStore } from './trace/store.ts'

const requests = createRequests((...request) => fetch(...request))
const remembered = createRemembered(storageOrNull())
const people = createPeople(requests, remembered)
const updates = createUpdates({ container: import.meta.env.PROD ? navigator.serviceWorker : undefined, reload: () => location.reload() })
if (remembered.isTraced()) {
  // Without a trace the app opens if its chunk cannot be fetched.
  import('./trace/store.ts').then(
    ({ createTraceStore }) => open(createTraceStore((run) => requestAnimationFrame(run))),
    () => open(null),
  )
} else open(null)

function open(trace: TraceStore | null): void {
  const session = createSession({
    requests,
    remembered,
    open: (user) => {
      const presence = createPresence()
      const ports = presence.ports(trace?.ports())
      return { presence, client: createClient({ schema, access, mutators, url: '/', user, firstPaint: lastScreen(), ports }) }
    },
  })
  addEventListener('storage', (event) => {
    if (event.key === personKey) void session.follow()
  })
  document.addEventListener('visibilitychange', () => void updates.look())
  void session.start()
  void people.refresh()
  const root = document.getElementById('root')
  if (!root) return
  createRoot(root).render(
    <StrictMode>
      <SessionContext value={{ session, people, remembered, trace }}>
        <App />
        <UpdateNotice updates={updates} />
      </SessionContext>
    </StrictMode>,
  )
}

function storageOrNull(): Storage | null {
  try {
    return localStorage
  } catch {
    // Blocked by the browser's settings: reading the property alone throws.
    return null
  }
}
