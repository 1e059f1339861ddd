// Transactions that are more than memory should hold: whole on arrival, whoever was away meanwhile, and none of anybody else's business.
import { type Down, decodeDown, limits as wire } from '@headwater/protocol'
import type { Database } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { lowerLimits } from '../harness/limits.ts'

// With the limits of production it is the same at 20,000 rows, and takes longer.
lowerLimits({ stepRowsMax: 2_000, toldRowsMax: 1_000 })
const many = 3_000

describe.each(databases)('large transactions on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  const closing: (() => Promise<void> | void)[] = []

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    closing.push(opened.close)
    await startAnother()
  })
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  async function startAnother(): Promise<void> {
    server = await startServer(database)
    const { close } = server
    closing.unshift(() => close())
  }

  function watch(user: string, disks = createMemoryDisks()) {
    const messages: Down[] = []
    const sockets: WebSocket[] = []
    const device = openDevice({
      url: server.url,
      user,
      disks: { ...disks, open: () => disks.open('one') },
      onSocket: (socket) => {
        sockets.push(socket)
        socket.prependListener('message', (data) => messages.push(decodeDown(String(data))))
      },
    })
    closing.unshift(() => device.close())
    return { device, messages, sockets, disks }
  }

  const insert = (owner: string, count: number, from = 0) =>
    `insert into samples (id, owner_id, "integer", text) select gen_random_uuid(), '${owner}', i, repeat('x', 200) from generate_series(${from + 1}, ${from + count}) i`
  const held = (device: Device) =>
    device.query.samples
      .all()
      .map(({ id, integer, text }) => `${id} ${integer} ${text?.length}`)
      .sort()
  const expected = async (owner: string) => {
    const rows = await database.query('select id::text as id, "integer" as n, length(text) as length from samples where owner_id = $1', [owner])
    return rows.map(({ id, n, length }) => `${id} ${n} ${length}`).sort()
  }
  const untilEqual = async (device: Device, owner: string) => {
    const wanted = (await expected(owner)).join()
    await expect.poll(() => held(device).join() === wanted, { timeout: 60_000, interval: 100 }).toBe(true)
    await untilLevel(device)
  }

  test('F10 R3 R8 inserted, updated and deleted in one transaction each: a device sees all of it or nothing, and what it does not concern goes on', {
    timeout: 120_000,
  }, async () => {
    await database.execute(insert('ada', 10))
    const ada = watch('ada')
    const bob = watch('bob')
    await untilLevel(ada.device)
    await untilLevel(bob.device)
    const counts = new Set<number>()
    const sums = new Set<number>()
    const live = ada.device.query.samples.live()
    live.subscribe(() => {
      const { rows } = live.result()
      counts.add(rows.length)
      sums.add(rows.filter(({ text }) => text === 'changed').length)
    })
    await database.execute(insert('ada', many, 10))
    await database.execute(insert('bob', 1))
    await untilEqual(bob.device, 'bob')
    await untilEqual(ada.device, 'ada')
    await database.execute(`update samples set text = 'changed' where owner_id = 'ada'`)
    await untilEqual(ada.device, 'ada')
    await database.execute(`delete from samples where owner_id = 'ada' and "integer" > 5`)
    await untilEqual(ada.device, 'ada')
    expect([...counts].sort((a, b) => a - b)).toEqual([5, 10, many + 10].filter((count) => counts.has(count)))
    expect([...sums].sort((a, b) => a - b)).toEqual([0, 5, many + 10].filter((sum) => sums.has(sum)))
    expect(counts).toContain(many + 10)
    expect(sums).toContain(many + 10)
    expect(bob.sockets).toHaveLength(1)
    expect(ada.device.status.get().problem).toBeNull()
  })

  test('F10 R6 a device that is cut, a server that is replaced, and one that was away: all are level in the end', { timeout: 120_000 }, async () => {
    await database.execute(insert('ada', 10))
    const ada = watch('ada')
    await untilLevel(ada.device)
    const away = watch('ada')
    await untilLevel(away.device)
    await away.device.close()
    await database.execute(insert('ada', many, 10))
    await expect.poll(() => ada.messages.filter(({ type }) => type === 'load').length, { timeout: 20_000, interval: 5 }).toBeGreaterThan(5)
    ada.sockets.at(-1)?.terminate()
    await database.execute(
      `update samples set text = 'changed' where "integer" % 2 = 0; insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', 'New')`,
    )
    // A server that has read nothing of it.
    await startAnother()
    const again = watch('ada', ada.disks)
    await ada.device.close()
    const back = watch('ada', away.disks)
    await untilEqual(again.device, 'ada')
    await untilEqual(back.device, 'ada')
    expect(again.device.query.projects.all()).toHaveLength(1)
    expect(back.device.query.projects.all()).toHaveLength(1)
  })

  test('F10 a frame that no device would take is never sent: few and wide rows, to who is there and to who was away', { timeout: 120_000 }, async () => {
    const ada = watch('ada')
    const away = watch('ada')
    await untilLevel(ada.device)
    await untilLevel(away.device)
    await away.device.close()
    await database.execute(
      `insert into samples (id, owner_id, "integer", text) select gen_random_uuid(), 'ada', i, repeat('y', 1500000) from generate_series(1, 12) i`,
    )
    await untilEqual(ada.device, 'ada')
    const back = watch('ada', away.disks)
    await untilEqual(back.device, 'ada')
    const sizes = [...ada.messages, ...back.messages].map((message) => JSON.stringify(message).length)
    expect(Math.max(...sizes)).toBeLessThan(wire.downBytesMax)
    expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(2 * wire.downBytesMax)
  })
})
