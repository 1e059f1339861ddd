import { createClient, fromPage, lastScreen } from '@headwater/client'
import { HeadwaterProvider } from '@headwater/react'
import type { PageData } from '@headwater/schema'
import { hydrateRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { mutators, schema } from './schema.ts'

// The server put it there.
const data = JSON.parse(document.getElementById('page')?.textContent ?? '') as PageData
const client = createClient({ schema, mutators, url: '/', user: data.user, firstPaint: fromPage(data, lastScreen()) })

hydrateRoot(
  document.getElementById('app') ?? document.body,
  <HeadwaterProvider client={client}>
    <App person={data.user} />
  </HeadwaterProvider>,
  { onRecoverableError: (error) => console.error('recovered', error) },
)
