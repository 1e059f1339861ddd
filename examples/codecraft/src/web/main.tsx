import './styles.css'
import { createClient, lastScreen } from '@headwater/client'
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

const requests = createRequests((...request) => fetch(...request))
const remembered = createRemembered(storageOrNull())
const people = createPeople(requests, remembered)
const session = createSession({
  requests,
  remembered,
  openClient: (user) => createClient({ schema, access, mutators, url: '/', user, firstPaint: lastScreen() }),
})

addEventListener('storage', (event) => {
  if (event.key === personKey) void session.follow()
})
void session.start()
void people.refresh()

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <SessionContext value={{ session, people, remembered }}>
        <App />
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
