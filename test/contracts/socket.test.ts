import { describe } from 'vitest'
import WebSocket from 'ws'
import { openPlainWith } from '../../packages/client/src/plain.ts'
import { createOpenSocket } from '../../packages/client/src/socket.ts'
import { clock, socketContract } from './socket.ts'

class PersonSocket extends WebSocket {
  constructor(url: string) {
    super(url, { headers: { 'x-user': 'ada' } })
  }
}

const personFetch: typeof fetch = (url, options) => fetch(url, { ...options, headers: { ...options?.headers, 'x-user': 'ada' } })

describe('a socket by an upgrade', () => {
  // Of the browser's WebSocket, `ws` has what is used.
  socketContract(() => createOpenSocket(PersonSocket as unknown as typeof globalThis.WebSocket, personFetch, clock))
})

describe('a socket of plain HTTP', () => {
  socketContract(() => openPlainWith(personFetch, clock))
})
