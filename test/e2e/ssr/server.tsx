import { createClient, fromPage } from '@headwater/client'
import { pagePorts } from '@headwater/client/node'
import { HeadwaterProvider } from '@headwater/react'
import { pageHeaders, pageQueries, pageText } from '@headwater/schema'
import type { Server } from '@headwater/server'
import { renderToString } from 'react-dom/server'
import { App, firstTasks } from './App.tsx'
import { mutators, schema } from './schema.ts'

export async function page(server: Server, user: string, url: string): Promise<Response> {
  const data = await server.page(
    user,
    pageQueries(schema, (q) => [firstTasks(q)]),
  )
  // A client of this request alone. It renders, reaches nothing, and is forgotten.
  const client = createClient({ schema, mutators, url, user, ports: pagePorts(), firstPaint: fromPage(data) })
  const app = renderToString(
    <HeadwaterProvider client={client}>
      <App person={user} />
    </HeadwaterProvider>,
  )
  const html = `<!doctype html><title>Tasks</title><div id="app">${app}</div><script type="application/json" id="page">${pageText(data)}</script><script type="module" src="/browser.js"></script>`
  return new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8', ...pageHeaders } })
}
