// The ports of a device in Node whose sockets say who the person is, as a browser's would by a cookie.
import { nodePorts } from '@headwater/client/node'
import WebSocket from 'ws'

/** No road but sockets: a device whose server was away would else try plain HTTP, where these tests name nobody, and be told to wait. */
export const socketsAlone: typeof fetch = () => Promise.reject(new TypeError('Nothing goes through but sockets.'))

/** `onSocket` sees every socket that is opened: to cut it, or to read what arrives. */
export function personPorts(user: string, onSocket?: (socket: WebSocket) => void) {
  class PersonSocket extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { 'x-user': user } })
      onSocket?.(this)
    }
  }
  return nodePorts({ directory: '', WebSocket: PersonSocket, fetch: socketsAlone })
}
