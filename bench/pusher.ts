// A device that does nothing but push, and count what became of it: 32 whole clients would take the machine from the server.
import { randomUUID } from 'node:crypto'
import { deviceId, encode, limits, protocolVersion, userId } from '@headwater/protocol'
import WebSocket from 'ws'

export interface Pusher {
  /** Sends these in order, as many mutations ahead as a device may, and resolves when every one of them is confirmed. */
  push(pushes: readonly { readonly frame: string; readonly count: number }[]): Promise<void>
  close(): void
}

/** Connects, greets, and resolves when the device is level. */
export async function openPusher(url: string, user: string): Promise<Pusher> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/headwater/socket`, { headers: { 'x-user': user } })
  let underWay = 0
  let heard: () => void = () => {}
  let failure: Error | null = null
  socket.on('message', (data) => {
    // What a server of ours sent.
    const message = JSON.parse(String(data)) as { type: string; outcomes?: readonly { type: string }[] }
    if (message.type === 'failure' || message.outcomes?.some(({ type }) => type !== 'applied')) failure = new Error(String(data))
    underWay -= message.outcomes?.length ?? 0
    if (message.type === 'checkpoint' || failure) heard()
  })
  socket.on('close', () => {
    failure ??= new Error(`The server closed the connection of ${user}.`)
    heard()
  })
  const next = () =>
    new Promise<void>((resolve, reject) => {
      heard = () => (failure ? reject(failure) : resolve())
    })
  await new Promise((resolve) => socket.once('open', resolve))
  const level = next()
  const who = { user: userId(user), device: deviceId(randomUUID()), nonce: null, cursor: null, confirmed: 0, granted: [], held: [], grants: null, mark: null }
  socket.send(encode({ type: 'hello', version: protocolVersion, ...who }))
  await level
  return {
    push: async (pushes) => {
      for (const { frame, count } of pushes) {
        while (underWay + count > limits.mutationsInFlightMax) await next()
        underWay += count
        socket.send(frame)
      }
      while (underWay > 0) await next()
    },
    close: () => socket.terminate(),
  }
}
