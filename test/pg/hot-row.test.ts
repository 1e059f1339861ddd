// A row that others write without a pause: by REPEATABLE READ alone a mutation would lose to them for ever.
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { native, type OpenedDatabase, throughPooler } from '../harness/databases.ts'
import { type Device, openDevice } from '../harness/device.ts'

/** Enough that somebody always stands in line for the row. */
const writers = 4
const rounds = 2

async function untilMore(written: () => number, more = writers): Promise<void> {
  const before = written()
  while (written() < before + more) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe.each([native, throughPooler])('a row that others write without a pause, on $name', ({ open }) => {
  let opened: OpenedDatabase
  let server: TestServer
  let sql: ReturnType<typeof postgres>
  let device: Device
  const id = crypto.randomUUID()

  beforeAll(async () => {
    opened = await open()
    server = await startServer(opened.database)
    sql = postgres(opened.url ?? '', { max: writers + 1 })
    device = openDevice({ url: server.url, user: 'ada' })
    await device.ready
    await device.mutate.projects.insert({ id, ownerId: 'ada', title: 'hot' }).confirmed
  })
  afterAll(async () => {
    await device.close()
    await sql.end()
    await server.close()
    await opened.close()
  })

  /** Others write the row as long as `run` takes. */
  async function whileHot(run: (written: () => number) => Promise<void>): Promise<void> {
    let isOver = false
    let written = 0
    const writing = Array.from({ length: writers }, async () => {
      while (!isOver) {
        await sql.begin(async (transaction) => {
          await transaction`update projects set updated_at = now() where id = ${id}`
          await transaction`select pg_sleep(0.003)`
        })
        written++
      }
    })
    await run(() => written).finally(() => {
      isOver = true
    })
    await Promise.all(writing)
  }

  test('built-in mutations and mutators are applied, once each, and so is what the others write', async () => {
    await whileHot(async (written) => {
      for (let n = 1; n <= rounds; n++) {
        // They write before it and go on after it.
        await untilMore(written)
        expect(await device.mutate.projects.update({ id, title: `hot ${n}` }).confirmed).toMatchObject({ type: 'applied' })
        expect(await device.mutate.visit({ id }).confirmed).toMatchObject({ type: 'applied' })
        await untilMore(written)
      }
    })
    expect(await sql`select title, visits from projects where id = ${id}`).toMatchObject([{ title: `hot ${rounds}`, visits: rounds }])
  })

  test('while a long transaction has the table, the others go on', async () => {
    const other = crypto.randomUUID()
    await device.mutate.projects.insert({ id: other, ownerId: 'ada', title: 'other' }).confirmed
    await whileHot(async (written) => {
      let confirmed: Promise<unknown> = Promise.resolve()
      await sql.begin(async (transaction) => {
        await transaction`update projects set title = 'held' where id = ${other}`
        confirmed = device.mutate.visit({ id }).confirmed
        await untilMore(written, writers * 20)
      })
      expect(await confirmed).toMatchObject({ type: 'applied' })
    })
    expect(await sql`select visits from projects where id = ${id}`).toMatchObject([{ visits: rounds + 1 }])
  })
})
