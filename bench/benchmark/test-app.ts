// What `createTestApp` costs the tests of an app: 100 tests in a row, each an app with two devices of one person, a mutation on one, and
// its row on the other. The limit of the first is the opening of its database alone; of the others, TRUNCATE of the same tables, which is how tests commonly
// begin anew.
import { defineMutators, defineSchema, holdersMayWrite, table, text, uuid } from '@headwater/schema'
import { type Database, openEmbedded, sql } from '@headwater/server'
import { createTestApp } from '@headwater/testing'
import { type Figure, median, percentile } from '../figure.ts'

const tests = 100

const schema = defineSchema({
  users: table({ id: text().primaryKey() }).in('user', 'id'),
  notes: table({ id: uuid().primaryKey(), ownerId: text(), line: text() }).in('user', 'ownerId'),
})
const options = {
  schema,
  access: holdersMayWrite(schema),
  mutators: defineMutators(schema, {}),
  grants: { user: sql`select id as "user", id as key, 'owner' as role from users` },
}

export async function testApp(): Promise<readonly Figure[]> {
  const first = await once()
  const times: number[] = []
  const truncates: number[] = []
  for (let i = 0; i < tests; i++) times.push((await once(async (database) => void truncates.push(await truncate(database)))).ms)
  const start = performance.now()
  const database = await openEmbedded({ directory: null })
  const openMs = performance.now() - start
  await database.close()
  return [
    { name: 'test app with two devices, first of a process', unit: 'ms', value: first.ms, limit: openMs },
    { name: 'test app with two devices, p50', unit: 'ms', value: median(times), limit: median(truncates) },
    { name: 'test app with two devices, p95', unit: 'ms', value: percentile(times, 0.95), limit: percentile(truncates, 0.95) },
  ]
}

/** One test, from the making of the app until it is closed. */
async function once(after: (database: Database) => Promise<void> = async () => {}): Promise<{ readonly ms: number }> {
  const start = performance.now()
  const app = await createTestApp(options)
  await app.sql`insert into users (id) values ('ada')`
  const [laptop, phone] = [await app.device('ada'), await app.device('ada')]
  laptop.mutate.notes.insert({ id: laptop.id(), ownerId: 'ada', line: 'Buy milk' })
  await app.settled()
  if (phone.query.notes.all().length !== 1) throw new Error('The row is not on the other device.')
  const { database } = app
  await app.close()
  const ms = performance.now() - start
  await after(database)
  return { ms }
}

async function truncate(database: Database): Promise<number> {
  const start = performance.now()
  await database.execute('truncate users, notes, headwater.log, headwater.devices, headwater.mutations')
  return performance.now() - start
}
