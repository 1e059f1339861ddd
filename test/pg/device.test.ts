// Real devices on a real server: what a person sees of their own writes while these become confirmed.
import type { Database } from '@headwater/server'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'

const uuid = () => crypto.randomUUID()

/** What was seen for longer than a few frames of a screen: the checkpoint of a mutation and that of its scope are two messages, sent as one. */
function lasting<T>() {
  const seen: { readonly what: T; readonly atMs: number }[] = []
  return {
    see: (what: T) => seen.push({ what, atMs: performance.now() }),
    lasted: () => {
      const long = seen.filter(({ atMs }, at) => (seen[at + 1]?.atMs ?? Number.POSITIVE_INFINITY) - atMs > 60).map(({ what }) => what)
      return long.filter((what, at) => what !== long[at - 1])
    },
  }
}

describe.each(databases)('devices on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let close: () => Promise<void>
  const devices: Device[] = []

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  afterEach(() => Promise.all(devices.splice(0).map((device) => device.close())))
  afterAll(() => close())

  async function connect(user: string): Promise<Device> {
    const device = openDevice({ url: server.url, user })
    devices.push(device)
    await device.ready
    await untilLevel(device)
    return device
  }

  test('HC24 what a mutation makes in a scope of its own stays on the screen, from the call to the load that holds it', async () => {
    const device = await connect('ada')
    for (const isUsed of [true, false, true]) {
      const id = uuid()
      const live = device.query.messages.where({ projectId: id }).orderBy('sequence').live()
      const rows = lasting<string>()
      const unsubscribe = live.subscribe(() =>
        rows.see(
          live
            .result()
            .rows.map(({ content }) => content)
            .join(),
        ),
      )
      const made = device.mutate.createProject({ id, title: 'Mine', lines: ['one', 'two'] })
      const handle = isUsed ? device.scope('project', id) : null
      const states = lasting<string>()
      handle?.subscribe(() => states.see(handle.state()))
      await made.saved
      const added = device.mutate.addMessage({ projectId: id, content: 'three' })
      expect(await made.confirmed).toEqual({ type: 'applied' })
      expect(await added.confirmed).toEqual({ type: 'applied' })
      await device.scope('project', id).ready
      await untilLevel(device)
      // Empty until the mutator has run, which is within microtasks.
      expect(rows.lasted().filter((shown, at) => shown !== '' || at > 0)).toEqual(['one,two', 'one,two,three'].slice(rows.lasted().includes('one,two') ? 0 : 1))
      // How long it loads is how busy the machine is.
      expect(states.lasted()).not.toContain('denied')
      if (handle) await expect.poll(() => handle.state()).toBe('ready')
      unsubscribe()
    }
  })

  test('R1 what is written into a scope that is being loaded stays on the screen, from the call to the load that holds it', async () => {
    const id = uuid()
    const owner = await connect('bob')
    expect(await owner.mutate.createProject({ id, title: 'Large', lines: [] }).confirmed).toEqual({ type: 'applied' })
    await database.query(
      `insert into messages (id, project_id, content, sequence) select gen_random_uuid(), $1::text::uuid, repeat('x', 300), n from generate_series(1, 30000) n`,
      [id],
    )
    const device = await connect('bob')
    const live = device.query.messages.where({ projectId: id, content: 'mine' }).live()
    const rows = lasting<number>()
    const unsubscribe = live.subscribe(() => rows.see(live.result().rows.length))
    const handle = device.scope('project', id)
    const made = device.mutate.messages.insert({ id: uuid(), projectId: id, content: 'mine', sequence: 30_001 })
    await handle.ready
    expect(await made.confirmed).toEqual({ type: 'applied' })
    await untilLevel(device)
    expect(rows.lasted()).toEqual([1])
    unsubscribe()
  })
})
