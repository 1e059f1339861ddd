// Who was away is told what they missed: from memory where that reaches, so that a thousand who come back at once cost what one does.
import type { Database, Transaction } from '@headwater/server'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { lowerLimits } from '../harness/limits.ts'
import { connectWire, openWire, type WireDevice } from '../harness/wire-device.ts'

/** What greetings and loads ask the log. */
function counted(database: Database, asked: string[]): Database {
  const count = (transaction: Transaction): Transaction => ({
    ...transaction,
    query: (text, parameters) => {
      if (text.includes('headwater.log')) asked.push(/sum\(\(?hash/.test(text) ? 'fingerprint' : 'log')
      return transaction.query(text, parameters)
    },
  })
  return { ...database, transaction: (mode, run) => database.transaction(mode, (transaction) => run(count(transaction))), close: async () => {} }
}

describe.each(databases)('catching up on $name', ({ open }) => {
  const asked: string[] = []
  const servers: TestServer[] = []
  let database: Database
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    ;({ database, close } = opened)
  })
  beforeEach(async () => {
    for (const server of servers.splice(0)) await server.close()
    asked.length = 0
  })
  afterAll(async () => {
    for (const server of servers) await server.close()
    await close()
  })

  const start = async (recentBytes?: number) => {
    const server = await startServer(counted(database, asked), recentBytes === undefined ? {} : { log: { recentBytes } })
    servers.push(server)
    return server
  }
  const write = (owner: string, title: string) =>
    database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), $1, $2)`, [owner, title])
  const checkpoints = (device: WireDevice) => device.messages.flatMap((message) => (message.type === 'checkpoint' ? [message] : []))
  /** Of the projects that it was told of. */
  const titles = (device: WireDevice) => checkpoints(device).flatMap(({ tables }) => (tables.get('projects')?.put ?? []).map((row) => String(row[2])))

  /** The same device again, or one more that has exactly what it has. */
  async function resume(from: WireDevice, url: string, isAnother = false): Promise<WireDevice> {
    const tag = checkpoints(from)
      .flatMap(({ grants }) => grants?.tag ?? [])
      .at(-1)
    const granted = checkpoints(from).flatMap(({ joined }) => joined.granted)
    const device = openWire({ url, user: 'ada', keys, from, ...(isAnother ? {} : { id: from.id }) })
    const { hello } = device
    device.hello = () => hello({ granted, grants: tag ?? null, ...(isAnother ? { nonce: null } : {}) })
    await device.until(() => device.messages.some(({ type }) => type === 'checkpoint') || device.isClosed(), 'the first checkpoint')
    expect(device.messages[0]).toMatchObject({ type: 'welcome', resumed: true })
    device.close()
    return device
  }

  async function away(server: TestServer): Promise<WireDevice> {
    await write('ada', 'before')
    const device = await connectWire({ url: server.url, user: 'ada', keys })
    device.close()
    await write('ada', 'missed')
    await write('bob', 'not hers')
    await server.level()
    return device
  }

  test('while the server is there, what was missed is in its memory: the log is not read', async () => {
    const server = await start()
    const first = await away(server)
    await resume(first, server.url)
    asked.length = 0
    await write('ada', 'missed as well')
    await server.level()
    expect(titles(await resume(first, server.url))).toEqual(['missed', 'missed as well'])
    expect(asked).toEqual([])
  })

  test('after a restart of the server, twenty devices with three cursors: a fingerprint for each cursor, and the log once', async () => {
    const server = await start()
    const cursors = [await away(server), await away(server), await away(server)]
    await servers.pop()?.close()
    const again = await start()
    asked.length = 0
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => resume(cursors[i % 3] ?? assertNever(), again.url, true)))
    expect(asked.filter((what) => what === 'fingerprint')).toHaveLength(3)
    // Where the log was 2,000 rows ago, and the rows since.
    expect(asked.filter((what) => what === 'log')).toHaveLength(2)
    for (const [i, device] of all.entries()) expect(titles(device).filter((title) => title === 'missed')).toHaveLength(3 - (i % 3))
    for (const device of all) expect(titles(device)).not.toContain('not hers')
  })

  test('what memory has no room for is read from the log', async () => {
    for (const recentBytes of [0, 1_500]) {
      const server = await start(recentBytes)
      const first = await away(server)
      for (let i = 0; i < 5; i++) await write('ada', `later ${i}`)
      await server.level()
      asked.length = 0
      expect(titles(await resume(first, server.url))).toEqual(['missed', ...Array.from({ length: 5 }, (_, i) => `later ${i}`)])
      expect(asked).toContain('log')
      await servers.pop()?.close()
    }
  })

  test('who is far behind loads again, and is not told row by row', async () => {
    const restoreLimits = lowerLimits({ stepRowsFirst: 20, behindRowsMin: 60 })
    try {
      const server = await start(0)
      const first = await away(server)
      await database.query(`insert into projects (id, owner_id, title) select gen_random_uuid(), 'bob', 'many' from generate_series(1, 50)`)
      await server.level()
      // Not so far: of what concerns bob nothing is read.
      expect(titles(await resume(first, server.url))).toEqual(['missed'])
      await database.query(`insert into projects (id, owner_id, title) select gen_random_uuid(), 'bob', 'more' from generate_series(1, 20)`)
      await server.level()
      const device = await resume(first, server.url)
      expect(titles(device)).toEqual([])
      expect(device.messages.some(({ type }) => type === 'load')).toBe(true)
      const held = await database.query(`select id::text as id from projects where owner_id = 'ada' order by 1`)
      expect(
        device
          .rows('projects')
          .map(({ id }) => id)
          .sort(),
      ).toEqual(held.map(({ id }) => id))
    } finally {
      restoreLimits()
    }
  })

  test('a row that came, moved and went while somebody was away is not told of, and one that came and stayed is', async () => {
    const server = await start()
    const first = await away(server)
    await resume(first, server.url)
    const made = async (title: string) =>
      String(
        (await database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', $1) returning id::text as id`, [title]))[0]?.id,
      )
    const gone = await made('made and gone')
    const moved = await made('made and moved')
    await server.level()
    await database.query(`update projects set owner_id = 'bob' where id = $1`, [moved])
    await server.level()
    await database.query(`delete from projects where id = $1`, [gone])
    await database.query(`update projects set title = 'changed elsewhere' where id = $1`, [moved])
    await server.level()
    await made('made and kept')
    await server.level()
    asked.length = 0
    const device = await resume(first, server.url)
    expect(titles(device)).toEqual(['missed', 'made and kept'])
    for (const frame of device.frames) for (const id of [gone, moved]) expect(frame).not.toContain(id)
    await database.query(`update projects set owner_id = 'ada' where id = $1`, [moved])
    await server.level()
    expect(titles(await resume(first, server.url))).toContain('changed elsewhere')
    expect(asked).toEqual([])
  })
})

const assertNever = (): never => {
  throw new Error('There are three.')
}
