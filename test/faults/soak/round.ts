// A part of an ordinary day, as fast as it goes: devices that are always there, some that come and go, some that were away, and one whose grant is taken and given again.
// It ends where it began: whatever is held in rest is held by rounds before it.
import { join } from 'node:path'
import { type Client, createClient, createPresence, type PresenceHandle } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import { mutators, schema } from '../../harness/app.ts'
import { openDevice, untilLevel } from '../../harness/device.ts'
import { personPorts } from '../../harness/person.ts'

/** Of 20 people: each writes every ten seconds, opens a view every thirty, and loses the connection four times. */
export const hour = { mutations: 7_200, views: 2_400, connections: 80 } as const
export const roundsPerHour = 15

export interface Totals {
  mutations: number
  views: number
  connections: number
  revocations: number
  said: number
}

export interface World {
  /** Through a proxy whose connections are cut. */
  readonly url: string
  readonly folder: string
  cut(): void
  sql(statement: string): Promise<unknown>
}

export interface Rounds {
  readonly totals: Readonly<Totals>
  run(): Promise<void>
  close(): Promise<void>
}

type Device = Client<typeof schema, typeof mutators>

/** Of which the last never writes: it loses its grant, and gets it back. */
export const people = ['ada', 'bob', 'eve', 'zoe'] as const
const writers = people.slice(0, 3)
const team = '00000000-0000-4000-8000-0000000000ff'
const uuid = () => crypto.randomUUID()

export async function startRounds({ url, folder, cut, sql }: World): Promise<Rounds> {
  await sql(`insert into projects (id, owner_id, title) values ('${team}', 'ada', 'Team')`)
  await sql(`insert into members (project_id, user_id) values ('${team}', 'bob'), ('${team}', 'eve'), ('${team}', 'zoe')`)
  const residents = await Promise.all(people.map(openResident))
  // Closed, but for a while in each round.
  const away = writers.map((user) => ({ user, disks: createMemoryDisks() }))
  const totals: Totals = { mutations: 0, views: 0, connections: 0, revocations: 0, said: 0 }
  for (const { user, disks } of away) await visit(user, disks)
  await sql('create table known_devices as select id from headwater.devices')

  async function openResident(user: string) {
    const presence = createPresence()
    const { openDisk } = nodePorts({ directory: join(folder, user) })
    const device: Device = createClient({ schema, mutators, url, user, ports: presence.ports({ ...personPorts(user), openDisk }) })
    await untilLevel(device)
    return { user, device, here: presence.scope('project', team), handle: device.scope('project', team) }
  }

  async function applied(made: { readonly confirmed: Promise<{ readonly type: string }> }): Promise<void> {
    totals.mutations++
    const outcome = await made.confirmed
    if (outcome.type !== 'applied') throw new Error(`A mutation was not applied: ${JSON.stringify(outcome)}`)
  }

  function writeOnce(device: Device, user: string, n: number): Promise<void> {
    if (n % 3 === 0) return applied(device.mutate.samples.insert({ id: uuid(), ownerId: user, text: 'a line of text that somebody writes', integer: n }))
    if (n % 3 === 1) return applied(device.mutate.visit({ id: team }))
    return applied(device.mutate.messages.insert({ id: uuid(), projectId: team, content: 'a message to the others', sequence: n }))
  }

  async function view(device: Device, n: number, run: () => Promise<void>): Promise<void> {
    const question = n % 2 ? device.query.messages.where({ projectId: team }).orderBy('sequence') : device.query.samples.where({ integer: n })
    const live = question.live()
    const close = live.subscribe(() => void live.result())
    totals.views++
    await run()
    close()
  }

  /** A writer: a mutation, a view and a word at a time. */
  async function work(device: Device, user: string, here: PresenceHandle): Promise<void> {
    const [mutations, views] = [hour.mutations, hour.views].map((all) => Math.round(all / roundsPerHour / writers.length))
    const every = Math.round((mutations ?? 1) / (views ?? 1))
    for (let n = 0; n < (mutations ?? 0); n += every) {
      here.say({ at: n })
      totals.said++
      await view(device, n, async () => void (await Promise.all(Array.from({ length: every }, (_, i) => writeOnce(device, user, n + i)))))
    }
    here.hide()
  }

  /** A device of its own, new or back from where it was, that stays for a few mutations, and comes once more: by that the server knows that it has the outcomes. */
  async function visit(user: string, disks = createMemoryDisks()): Promise<void> {
    for (const mutations of [3, 0]) {
      const device = openDevice({ url, user, disks })
      totals.connections++
      await untilLevel(device)
      for (let n = 0; n < mutations; n++) await writeOnce(device, user, n)
      await device.close()
    }
  }

  async function interrupt(): Promise<void> {
    for (let times = 0; times < 2; times++) {
      await new Promise((resolve) => setTimeout(resolve, 400))
      cut()
      totals.connections += residents.length
    }
  }

  async function revoke(): Promise<void> {
    await sql(`delete from members where user_id = 'zoe'`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await sql(`insert into members (project_id, user_id) values ('${team}', 'zoe')`)
    totals.revocations++
  }

  /** What was written goes; records and devices that nobody needs are of last year. */
  async function rest(): Promise<void> {
    await sql('delete from messages')
    await sql('delete from samples')
    await sql(`update headwater.mutations set at = at - interval '1 year'`)
    await sql(`update headwater.devices set seen_at = seen_at - interval '2 years' where id not in (select id from known_devices)`)
    await Promise.all(residents.map(({ device }) => untilLevel(device)))
    // A server says once in a minute how far it has come. In rest it has come to the end.
    await sql('delete from headwater.log_holds')
  }

  return {
    totals,
    run: async () => {
      const writing = residents.filter(({ user }) => user !== 'zoe').map(({ device, user, here }) => work(device, user, here))
      const visits = [...writers.map((user) => visit(user)), ...away.map(({ user, disks }) => visit(user, disks))]
      await Promise.all([...writing, ...visits, interrupt(), revoke()])
      await rest()
    },
    close: async () => {
      for (const { device, here, handle } of residents) {
        here.release()
        handle.release()
        await device.close()
      }
    },
  }
}
