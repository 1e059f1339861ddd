// Loads are compressed for devices on other machines, and only for them; and what a device compresses unfolds to no more than it may send.
import type { Database } from '@headwater/server'
import { afterEach, beforeEach, expect, test } from 'vitest'
import WebSocket from 'ws'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { connectWire } from '../harness/wire-device.ts'

let database: Database
let server: TestServer
let close: () => Promise<void>

beforeEach(async () => {
  const [embedded] = databases
  if (embedded === undefined) throw new Error('There is no database.')
  const opened = await embedded.open()
  database = opened.database
  close = opened.close
  server = await startServer(database)
})
afterEach(async () => {
  await server.close()
  await close()
})

test('a load takes a fraction of its bytes behind a proxy, and all of them on the machine itself', async () => {
  await database.execute(
    `insert into samples (id, owner_id, text) select gen_random_uuid(), 'ada', 'One of a hundred words that come again, ' || i from generate_series(1, 3000) i`,
  )
  const bytesOf = async (headers: Readonly<Record<string, string>>) => {
    let bytes = 0
    const device = await connectWire({ url: server.url, user: 'ada', headers, keys, onBytes: (count) => (bytes += count) })
    expect(device.rows('samples')).toHaveLength(3_000)
    const texts = device.frames.reduce((sum, frame) => sum + frame.length, 0)
    device.close()
    return { bytes, texts }
  }
  const near = await bytesOf({})
  expect(near.bytes).toBeGreaterThan(near.texts)
  const far = await bytesOf({ 'x-forwarded-for': '192.0.2.7' })
  expect(far.texts).toBeGreaterThan(near.texts * 0.9)
  expect(far.bytes).toBeLessThan(near.bytes / 2)
})

test('F5: a small message that unfolds into a very large one closes the socket, and the server goes on', async () => {
  const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/headwater/socket`, {
    headers: { 'x-user': 'ada', 'x-forwarded-for': '192.0.2.7' },
    perMessageDeflate: { threshold: 0 },
  })
  await new Promise((resolve) => socket.once('open', resolve))
  expect(socket.extensions).toContain('permessage-deflate')
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  socket.send('x'.repeat(50_000_000))
  expect(await closed).toBe(1009)
  const device = await connectWire({ url: server.url, user: 'ada', keys })
  device.close()
})
