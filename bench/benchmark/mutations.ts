// Mutations a second through one server, each in a durable transaction of its own: 32 devices send plain inserts, as many ahead as a
// device may. The limit is the same three statements through the same driver, or the embedded database, with no server around them.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode, limits, type Mutation, mutationId, userId } from '@headwater/protocol'
import { createServer, type Database, openEmbedded, openPostgres } from '@headwater/server'
import { builtinStatement } from '../../packages/server/src/mutate/tx.ts'
import { itemOf, mutators, schema } from '../app.ts'
import { withDatabase } from '../database.ts'
import type { Figure } from '../figure.ts'
import { openPusher } from '../pusher.ts'
import { access, grants, people, prepare } from '../server-app.ts'
import { startServerProcess } from '../server-process.ts'

const warmUpsPerDevice = 30
const devices = people.slice(1)

export const mutationsNative = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    const database = await openPostgres(bed.url)
    const limit = await rateOfBatches(database, 200)
    await database.close()
    const server = await bed.startServer()
    return [{ name: 'mutations through one server, PostgreSQL', unit: 'per second', value: await rateOfDevices(server.url, 300), limit }]
  })

export async function mutationsEmbedded(): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  try {
    const limit = await rateOfEmbedded(join(directory, 'limit'))
    const server = await startServerProcess({ directory: join(directory, 'server') })
    const value = await rateOfDevices(server.url, 120)
    await server.stop()
    return [{ name: 'mutations through one server, embedded', unit: 'per second', value, limit }]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** A server makes the tables, and is closed together with its database. */
async function rateOfEmbedded(directory: string): Promise<number> {
  const made = await openEmbedded({ directory })
  await prepare(made)
  await (await createServer({ schema, access, mutators, grants, database: made, authenticate: () => null })).close()
  const database = await openEmbedded({ directory })
  const rate = await rateOfBatches(database, 60)
  await database.close()
  return rate
}

let numbers = 0
const mutationOf = (owner: string, number: number): Mutation => {
  const row = { ...itemOf(1_000_000 + ++numbers, owner) }
  return { number, id: mutationId(randomUUID()), name: 'items.insert', args: { row }, at: row.createdAt }
}

/** Devices side by side, each one after the other: what a server does for them. */
async function rateOfBatches(database: Database, perDevice: number): Promise<number> {
  const work = devices.map((user) => ({
    user,
    device: randomUUID(),
    made: Array.from({ length: warmUpsPerDevice + perDevice }, (_, i) => mutationOf(user, i + 1)),
  }))
  await Promise.all(work.map(({ user, device }) => database.query('select answer from headwater.greet($1, $2, null, $3)', [device, user, 'nonce'])))
  const run = (from: number, to: number) =>
    Promise.all(
      work.map(async ({ user, device, made }) => {
        for (const mutation of made.slice(from, to)) await database.batch(statementsOf(user, device, mutation))
      }),
    )
  await run(0, warmUpsPerDevice)
  const start = performance.now()
  await run(warmUpsPerDevice, warmUpsPerDevice + perDevice)
  return (devices.length * perDevice * 1_000) / (performance.now() - start)
}

function statementsOf(user: string, device: string, { number, id, name, args }: Mutation) {
  const insert = builtinStatement({ schema, access, grants, user: userId(user) }, 'items', 'insert', args)
  if (insert === null) throw new Error('There is no table items.')
  return [
    { text: 'select headwater.begin_mutation($1, $2::text::bigint, $3, $4)::text', parameters: [device, String(number), id, user] },
    insert,
    {
      text: 'select headwater.end_mutation($1, $2::text::bigint, $3, $4, $5, $6, $7, $8, $9, $10)::text',
      parameters: [device, String(number), id, user, name, id, 'applied', null, null, true],
    },
  ]
}

async function rateOfDevices(url: string, perDevice: number): Promise<number> {
  const pushers = await Promise.all(devices.map((user) => openPusher(url, user)))
  const frames = (from: number, to: number, user: string) => {
    const made = Array.from({ length: to - from }, (_, i) => mutationOf(user, from + i + 1))
    return Array.from({ length: Math.ceil(made.length / limits.mutationsPerPushMax) }, (_, i) => {
      const mutations = made.slice(i * limits.mutationsPerPushMax, (i + 1) * limits.mutationsPerPushMax)
      return { frame: encode({ type: 'push', mutations }), count: mutations.length }
    })
  }
  const run = async (from: number, to: number) => {
    const work = pushers.map((pusher, i) => ({ pusher, pushes: frames(from, to, devices[i] ?? '') }))
    const start = performance.now()
    await Promise.all(work.map(({ pusher, pushes }) => pusher.push(pushes)))
    return performance.now() - start
  }
  await run(0, warmUpsPerDevice)
  const tookMs = await run(warmUpsPerDevice, warmUpsPerDevice + perDevice)
  for (const pusher of pushers) pusher.close()
  return (devices.length * perDevice * 1_000) / tookMs
}
