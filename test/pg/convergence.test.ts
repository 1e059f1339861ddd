// Many real devices on two servers, while they write, SQL writes, and connections break: what each of them shows at every moment, and at the end.
import type { Outcome } from '@headwater/client'
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'

const people = ['ada', 'bob', 'eve'] as const
const rounds = 40

describe.each(databases)('R4 devices on $name', ({ open }) => {
  let database: Database
  const servers: TestServer[] = []
  let close: () => Promise<void>
  const sockets = new Set<{ terminate(): void }>()

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    servers.push(await startServer(database))
    // An embedded database has one server; another one opens its own connections to a native one.
    if (opened.url !== null) servers.push(await startServer(database, { database: opened.url }))
    close = async () => {
      await Promise.all(servers.map((server) => server.close()))
      await opened.close()
    }
  })
  afterAll(() => close())

  const connect = (user: string, server: number): Device =>
    openDevice({
      url: servers[server % servers.length]?.url ?? '',
      user,
      onSocket: (socket) => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
      },
    })

  /** What SQL says that a person may see. */
  const visible = async (user: string) => {
    const rows = await database.query(
      `select p.id::text as id, p.title, p.visits, p.owner_id as "ownerId" from projects p
        where p.owner_id = $1 or exists (select 1 from members m where m.project_id = p.id and m.user_id = $1) order by p.id`,
      [user],
    )
    return rows
  }

  const shown = (device: Device) =>
    device.query.projects
      .orderBy('id')
      .all()
      .map(({ id, title, visits, ownerId }) => ({ id, title, visits, ownerId }))

  test('whatever is written by whom, and whatever breaks: in the end each shows what SQL says over its scopes, and nothing else', async () => {
    const devices = people.flatMap((person, i) => [connect(person, i), connect(person, i + 1)].map((device) => ({ person, device })))
    await Promise.all(devices.map(({ device }) => untilLevel(device)))
    const own = new Map<string, string[]>(people.map((person) => [person, []]))
    const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)]
    const everything = () => [...own.values()].flat()
    const confirmed: Promise<Outcome>[] = []
    for (let round = 0; round < rounds; round++) {
      for (const { person, device } of devices) {
        const id = pick(own.get(person) ?? [])
        const kind = Math.random()
        if (id === undefined || kind < 0.2) {
          const made = device.id()
          own.get(person)?.push(made)
          confirmed.push(device.mutate.createProject({ id: made, title: `${person} ${round}`, lines: ['a', 'b'] }).confirmed)
        } else if (kind < 0.5) confirmed.push(device.mutate.visit({ id }).confirmed)
        else if (kind < 0.7) confirmed.push(device.mutate.projects.update({ id, title: `${person} again ${round}` }).confirmed)
        else if (kind < 0.8) confirmed.push(device.mutate.members.insert({ projectId: id, userId: pick(people) ?? 'ada' }).confirmed)
        else if (kind < 0.9) confirmed.push(device.mutate.members.delete({ projectId: id, userId: pick(people) ?? 'ada' }).confirmed)
        else confirmed.push(device.mutate.projects.delete({ id: pick(everything()) ?? id }).confirmed)
      }
      if (round % 5 === 0) await database.query(`update projects set visits = visits + 100, title = title || '!' where owner_id = $1`, [pick(people) ?? 'ada'])
      if (round % 7 === 3) for (const socket of [...sockets].slice(0, 3)) socket.terminate()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const outcomes = await Promise.all(confirmed)
    expect(outcomes).toContainEqual({ type: 'applied' })
    await Promise.all(devices.map(({ device }) => untilLevel(device)))
    for (const { person, device } of devices) await expect.poll(() => shown(device), { timeout: 10_000 }).toEqual(await visible(person))
    // What a device refused by itself was never sent.
    const applied = outcomes.filter((outcome) => outcome.type === 'applied').length
    expect(await database.query(`select count(*)::int as n, count(distinct id)::int as ids from headwater.mutations where outcome = 'applied'`)).toEqual([
      { n: applied, ids: applied },
    ])
    await Promise.all(devices.map(({ device }) => device.close()))
  })

  test('R3 a transfer between two rows is never seen by half', async () => {
    const [from, to] = [crypto.randomUUID(), crypto.randomUUID()]
    await database.query(`insert into projects (id, owner_id, title, visits) values ($1::text::uuid, 'ada', 'from', 500), ($2::text::uuid, 'ada', 'to', 500)`, [
      from,
      to,
    ])
    const device = connect('ada', 1)
    await untilLevel(device)
    const live = device.query.projects.where({ title: 'from' }).live()
    const sumNow = () => device.query.projects.all().reduce((sum, row) => (row.id === from || row.id === to ? sum + row.visits : sum), 0)
    const sums: number[] = []
    live.subscribe(() => sums.push(sumNow()))
    for (let i = 1; i <= 50; i++) {
      await database.transaction('write', async (transaction) => {
        await transaction.query('update projects set visits = visits - $2::int where id = $1::text::uuid', [from, i])
        await transaction.query('update projects set visits = visits + $2::int where id = $1::text::uuid', [to, i])
      })
    }
    await expect.poll(() => live.result().rows[0]?.visits).toBe(500 - (50 * 51) / 2)
    expect(sums.length).toBeGreaterThan(0)
    expect(new Set(sums)).toEqual(new Set([1000]))
    await device.close()
  })
})
