import './app.css'
import { HeadwaterProvider } from '@headwater/react'
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { openClient } from './headwater.ts'
import { SignIn } from './SignIn.tsx'

const personKey = 'lists-person'
const signedIn = localStorage.getItem(personKey)
// Made once per person, not per render: it keeps their rows, and writes that the database has not yet seen.
const first = signedIn === null ? null : openClient(signedIn)

function Root() {
  const [client, setClient] = useState(first)
  if (client === null) {
    return (
      <SignIn
        onSignedIn={(name) => {
          localStorage.setItem(personKey, name)
          setClient(openClient(name))
        }}
      />
    )
  }
  const signOut = async () => {
    localStorage.removeItem(personKey)
    // Nothing of this person stays on the device.
    await client.wipe()
    setClient(null)
  }
  return (
    <HeadwaterProvider client={client}>
      <App person={localStorage.getItem(personKey) ?? ''} onSignOut={signOut} />
    </HeadwaterProvider>
  )
}

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  )
