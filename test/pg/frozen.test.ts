// Devices keep the app that they have loaded for weeks. Each file in test/fixtures is a client as it once was; it must find its way with this server.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import type { FrozenOptions, openFrozen } from '../harness/frozen-app.ts'

interface Frozen {
  readonly openFrozen: typeof openFrozen
  readonly createDisks: () => FrozenOptions['disks']
}

const folder = join(import.meta.dirname, '../fixtures')
const names = readdirSync(folder).filter((name) => /^client-.*\.txt$/.test(name))

test('there is a client of former days', () => {
  expect(names.length).toBeGreaterThan(0)
})

describe.each(names)('%s', (name) => {
  let database: Database
  let server: TestServer
  let frozen: Frozen
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await databases[0]?.open()
    if (opened === undefined) throw new Error('There is no database to test with.')
    database = opened.database
    server = await startServer(database)
    close = opened.close
    const text = readFileSync(join(folder, name), 'base64')
    // The file exports what test/harness/frozen-app.ts does.
    frozen = (await import(/* @vite-ignore */ `data:text/javascript;base64,${text}`)) as Frozen
  })
  afterAll(async () => {
    await server.close()
    await close()
  })

  function open(user: string, disks: FrozenOptions['disks'], road: 'socket' | 'plain') {
    class PersonSocket extends WebSocket {
      constructor(address: string) {
        super(address, { headers: { 'x-user': user } })
      }
    }
    const personFetch: typeof fetch = (url, options) => fetch(url, { ...options, headers: { ...options?.headers, 'x-user': user } })
    return frozen.openFrozen({ url: server.url, user, disks, WebSocket: road === 'socket' ? PersonSocket : undefined, fetch: personFetch })
  }
  type Device = ReturnType<typeof open>
  const untilLevel = (device: Device) =>
    expect.poll(() => [device.status.get().phase, device.status.get().pending], { timeout: 15_000, interval: 10 }).toEqual(['live', 0])

  test.each(['socket', 'plain'] as const)('loads, writes and goes on where it was, by %s', async (road) => {
    const [id, other] = [crypto.randomUUID(), crypto.randomUUID()]
    const person = road === 'socket' ? 'ada' : 'bob'
    await database.query(`insert into projects (id, owner_id, title) values ($1, $2, 'Before')`, [id, person])
    const disks = frozen.createDisks()
    const first = open(person, disks, road)
    await untilLevel(first)
    expect(first.query.projects.all()).toMatchObject([{ id, title: 'Before', visits: 0, slug: null }])

    const scope = first.scope('project', id)
    await scope.ready
    await first.mutate.projects.update({ id, title: 'Of the device' }).saved
    const message = first.mutate.addMessage({ projectId: id, content: 'hello' })
    const refused = first.mutate.addMessage({ projectId: id, content: 'forbidden words' })
    expect(await message.confirmed).toEqual({ type: 'applied' })
    expect(await refused.confirmed).toMatchObject({ type: 'refused', code: 'language' })
    expect(await first.mutate.projects.insert({ id: other, ownerId: person, title: 'Another' }).confirmed).toEqual({ type: 'applied' })
    const rows = await database.query('select title, (select count(*)::int from messages where project_id = p.id) as messages from projects p where id = $1', [
      id,
    ])
    expect(rows).toEqual([{ title: 'Of the device', messages: 1 }])
    expect(first.query.messages.all()).toMatchObject([{ content: 'hello', sequence: 1 }])
    await first.close()

    await database.query(`update projects set title = 'Meanwhile' where id = $1`, [id])
    const second = open(person, disks, road)
    await second.ready
    expect(second.query.projects.where({ id }).first()).toMatchObject({ title: 'Of the device' })
    await untilLevel(second)
    expect(second.query.projects.orderBy('title').all()).toMatchObject([{ title: 'Another' }, { title: 'Meanwhile' }])
    expect(second.status.get()).toMatchObject({ setAside: 1, problem: null })
    await second.close()
  })
})
