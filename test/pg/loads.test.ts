// First loads: in turns, continued where they stopped, and in the order in which they are waited for.
import { type Down, decodeDown } from '@headwater/protocol'
import type { Database } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'

const rowsMany = 4_000

/** One device, whatever the address of its server. */
function createDisk() {
  const disks = createMemoryDisks()
  return { ...disks, open: () => disks.open('one') }
}

const uuid = () => crypto.randomUUID()

describe.each(databases)('loads on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  const closing: (() => Promise<void> | void)[] = []

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database)
    const { close } = server
    closing.push(() => close(), opened.close)
  })
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  async function anotherServer(): Promise<void> {
    server = await startServer(database)
    const { close } = server
    closing.unshift(() => close())
  }

  /** 6 KB each: some 24 MB, which is several turns. */
  const fill = (owner: string, count = rowsMany) =>
    database.execute(
      `insert into samples (id, owner_id, text, "integer") select gen_random_uuid(), '${owner}', repeat('x', 6000), i from generate_series(1, ${count}) i`,
    )
  const expected = async (owner: string) => {
    const rows = await database.query(`select id::text as id, "integer" as n from samples where owner_id = $1`, [owner])
    return rows.map(({ id, n }) => `${id} ${n}`).sort()
  }
  const held = (device: Device) =>
    device.query.samples
      .all()
      .map(({ id, integer }) => `${id} ${integer}`)
      .sort()

  /** A device that hears frames until `stop` says so; then its network is gone. */
  function watch(user: string, disks = createDisk(), stop: (message: Down, count: number) => boolean = () => false) {
    const messages: Down[] = []
    const sockets: WebSocket[] = []
    let pieces = 0
    const device = openDevice({
      url: server.url,
      user,
      disks,
      onSocket: (socket) => {
        sockets.push(socket)
        socket.prependListener('message', (data) => {
          const message = decodeDown(String(data))
          if (message.type === 'load') pieces++
          messages.push(message)
          if (stop(message, pieces)) socket.terminate()
        })
      },
    })
    closing.unshift(() => device.close())
    return { device, messages, sockets, disks, rows: () => messages.reduce((sum, message) => sum + (message.type === 'load' ? message.rows.length : 0), 0) }
  }

  test('R6 a load in many turns brings every row once, and says how far it has come', async () => {
    await fill('ada')
    const { device, rows, messages } = watch('ada')
    const seen: (number | null)[] = []
    device.status.subscribe(() => {
      const { loading } = device.status.get()
      if (loading && loading.total !== null) seen.push(loading.rows / loading.total)
    })
    await untilLevel(device)
    expect(held(device)).toEqual(await expected('ada'))
    expect(rows()).toBe(rowsMany)
    expect(seen.length).toBeGreaterThan(10)
    expect(seen).toEqual([...seen].sort((a, b) => Number(a) - Number(b)))
    expect(device.status.get().loading).toBeNull()
    expect(messages.flatMap((message) => (message.type === 'checkpoint' ? [message.more] : []))).toEqual([true, false])
  })

  test('R6 what changes between the turns of a load is in the checkpoint that names it', async () => {
    await fill('ada')
    let writes: Promise<unknown> = Promise.resolve()
    const { device } = watch('ada', createDisk(), (message, count) => {
      if (message.type === 'load' && count % 20 === 1) {
        writes = writes.then(async () => {
          const made = uuid()
          await database.execute(`
            insert into samples (id, owner_id, "integer") values ('${made}', 'ada', 1), ('${uuid()}', 'ada', 2);
            update samples set "integer" = -"integer" where id in (select id from samples where owner_id = 'ada' order by random() limit 20);
            update samples set owner_id = 'bob' where id in (select id from samples where owner_id = 'ada' order by random() limit 20);
            delete from samples where id in (select id from samples where owner_id = 'ada' order by random() limit 20)`)
          await database.execute(`delete from samples where id = '${made}'`)
        })
      }
      return false
    })
    await untilLevel(device)
    await writes
    const wanted = await expected('ada')
    await expect.poll(() => held(device), { timeout: 10_000 }).toEqual(wanted)
  })

  test('R6 a load goes on where it stopped: after the network, the death of the device, and on another server', async () => {
    await fill('ada')
    const disks = createDisk()
    let cuts = 0
    const first = watch('ada', disks, ({ type }, count) => type === 'load' && (count === 30 || count === 50) && ++cuts > 0)
    await expect.poll(() => cuts, { timeout: 20_000 }).toBe(2)
    await first.device.close()
    await database.execute(`delete from samples where "integer" % 50 = 0; update samples set "integer" = -"integer" where "integer" % 50 = 1`)
    await anotherServer()
    const again = watch('ada', disks)
    await untilLevel(again.device)
    expect(held(again.device)).toEqual(await expected('ada'))
    const continued = [...first.messages, ...again.messages].flatMap((message) => (message.type === 'welcome' ? [message.continued] : []))
    expect(continued.slice(0, 2)).toEqual([false, true])
    expect(continued.at(-1)).toBe(true)
    expect(first.rows() + again.rows()).toBeLessThan(rowsMany * 1.1)
  })

  test('a load is begun anew when other scopes are granted meanwhile, and when the history is another', async () => {
    await fill('ada', 1_000)
    for (const change of [
      `insert into projects (id, owner_id, title) values ('${uuid()}', 'ada', 'New')`,
      'update headwater.identity set history = gen_random_uuid()',
    ]) {
      const disks = createDisk()
      let cuts = 0
      const first = watch('ada', disks, ({ type }, count) => type === 'load' && count === 10 && ++cuts > 0)
      await expect.poll(() => cuts, { timeout: 20_000 }).toBe(1)
      await first.device.close()
      await database.execute(change)
      await anotherServer()
      const again = watch('ada', disks)
      await untilLevel(again.device)
      expect(held(again.device)).toEqual(await expected('ada'))
      expect(again.messages.flatMap((message) => (message.type === 'welcome' ? [message.continued] : [])).at(-1)).toBe(false)
    }
  })

  test('what is held while a load goes on does not wait for it, and many scopes come in groups', async () => {
    const id = uuid()
    await database.execute(`insert into projects (id, owner_id, title) values ('${id}', 'bob', 'Here');
      insert into messages (id, project_id, content, sequence) values (gen_random_uuid(), '${id}', 'First', 1);
      insert into projects (id, owner_id, title) select gen_random_uuid(), 'bob', 'Project ' || i from generate_series(1, 2500) i`)
    await fill('bob')
    const { device, messages } = watch('bob')
    const scope = device.scope('project', id)
    await scope.ready
    expect(device.query.messages.all()).toMatchObject([{ content: 'First' }])
    const before = messages.filter(({ type }) => type === 'load').length
    await untilLevel(device)
    expect(messages.filter(({ type }) => type === 'load').length).toBeGreaterThan(before + 50)
    expect(held(device)).toEqual(await expected('bob'))
    expect(device.query.projects.all()).toHaveLength(2_501)
    const loads = messages.filter((message) => message.type === 'checkpoint' && message.loads.length > 0)
    expect(loads.length).toBeGreaterThanOrEqual(4)
  })
})
