// How long after a grant is typed in by SQL the device has what it grants, and after it is taken back has not; and what a server needs to work
// grants out again, with 10,000 people connected. The limits are a NOTIFY with a frame, and plain SQL for the same rows.
import { userId } from '@headwater/protocol'
import { createServer, type Database, type Grants, grant, openPostgres, sql } from '@headwater/server'
import type { LogRow } from '../../packages/server/src/feed/log.ts'
import { install } from '../../packages/server/src/install/install.ts'
import type { Transaction } from '../../packages/server/src/ports.ts'
import { createRegranting, type Regranting } from '../../packages/server/src/scopes/regrants.ts'
import { blankLogRow } from '../../test/harness/log-row.ts'
import { mutators, person, schema } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, latencies, median, timed } from '../figure.ts'
import { access, fillSql } from '../server-app.ts'
import { pause, until, untilLive } from '../wait.ts'
import { createFloor } from './commit-to-visible.ts'

const rows = 50
const rounds = 200
const people = 10_000
const scopes = 10_000

/** Its form says whom a change concerns. */
const inferred: Grants = { user: sql`select person as "user", owner_id as key, role from shares` }
/** A function could read anything: everybody. */
const unknown: Grants = { user: sql`select person as "user", owner_id as key, role from shares where char_length(role) > 0` }
const byKey: Grants = { user: grant(unknown.user ?? sql``, { by: { shares: { key: 'owner_id' } } }) }

export const grants = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(`create table shares (person text, owner_id text, role text, primary key (owner_id, person)); create index on shares (person);
      insert into shares select 'person-' || i, scope, 'viewer' from generate_series(1, ${people}) i, lateral (values ('everybody'), ('person-' || i), ('team-' || i % 100)) as held(scope);
      insert into shares select 'busy', 'scope-' || i, 'viewer' from generate_series(1, ${scopes}) i; ${fillSql(rows, 'owner')}`)
    const database = await openPostgres(bed.url)
    const figures = [...(await fromSqlToDevice(bed, database)), ...(await workingOut(database))]
    await database.close()
    return figures
  })

async function fromSqlToDevice(bed: Bed, database: Database): Promise<readonly Figure[]> {
  const shared = { ...database, close: async () => {} }
  const server = await createServer({ schema, access, mutators, grants: inferred, database: shared, authenticate: ({ headers }) => headers.get('x-user') })
  const device = openDevice(await server.listen({ port: 0 }))
  await untilLive(device)
  const floor = await createFloor(bed)
  const live = device.query.items.live()
  const psql = bed.connect()
  const shows = (count: number) => until(live, () => live.result().rows.length === count).then(() => performance.now())
  const found: { readonly floors: number[]; readonly gains: number[]; readonly losses: number[] } = { floors: [], gains: [], losses: [] }
  for (let round = -20; round < rounds; round++) {
    const floorMs = await floor.measure()
    await pause(5)
    const isGained = shows(rows)
    await psql`insert into shares values (${person}, 'owner', 'viewer')`
    const granted = performance.now()
    const gained = Math.max(0, (await isGained) - granted)
    await pause(5)
    const isLost = shows(0)
    await psql`delete from shares where person = ${person}`
    const revoked = performance.now()
    const lost = Math.max(0, (await isLost) - revoked)
    if (round < 0) continue
    found.floors.push(floorMs)
    found.gains.push(gained)
    found.losses.push(lost)
  }
  await floor.close()
  await device.close()
  await server.close()
  return [
    ...latencies('grant committed to 50 rows on the device', found.gains, found.floors),
    ...latencies('revocation committed to rows gone', found.losses, found.floors),
  ]
}

async function workingOut(database: Database): Promise<readonly Figure[]> {
  const plain = (text: string) => database.transaction('read', (transaction) => transaction.query(text))
  const one = await connect(database, inferred)
  const each = await connect(database, unknown)
  const holders = await connect(database, byKey)
  const figures = [
    await compare(
      'one person of 10,000 worked out again',
      (i) => one.again(`person-${i + 1}`, 'everybody'),
      'one',
      (i) => plain(`select person, owner_id, role from shares where person = 'person-${i + 1}' and owner_id = 'everybody'`),
    ),
    await compare(
      'everybody of 10,000 worked out again',
      () => each.again('person-1', 'everybody'),
      'some',
      () => plain(`select person, owner_id, role from shares where person <> 'busy'`),
    ),
    await compare(
      'the 10,000 who hold one scope worked out again',
      () => holders.again('person-1', 'everybody'),
      'some',
      () => plain(`select person, owner_id, role from shares where owner_id = 'everybody'`),
    ),
    await compare(
      'greeting of a person with 10,000 scopes, grants',
      () => one.greet('busy'),
      'some',
      () => plain(`select person, owner_id, role from shares where person = 'busy'`),
    ),
  ]
  for (const { stop } of [one, each, holders]) stop()
  return figures
}

async function compare(name: string, work: (i: number) => unknown, often: 'one' | 'some', limit: (i: number) => unknown): Promise<Figure> {
  const times = often === 'one' ? 300 : 30
  return { name, unit: 'ms', value: median(await timed(times, work)), limit: median(await timed(times, limit)) }
}

/** A server's part that works grants out, with 10,000 people connected who hold what they hold. */
async function connect(database: Database, grants: Grants) {
  const { relations } = await install(database, { schema, serverSchema: schema, needs: [], capture: {} }, grants)
  const clock = { now: () => performance.now(), timer: () => () => {} }
  const onTrouble = () => {}
  const crowd = Array.from({ length: people }, (_, i) => userId(`person-${i + 1}`))
  const regranting: Regranting = createRegranting({ grants, relations, people: () => connected, clock, onTrouble, wake: onTrouble })
  const read = <T>(run: (transaction: Transaction) => Promise<T>) => database.transaction('read', run)
  const held = await read((transaction) => regranting.reader.of(transaction, crowd))
  const connected = new Map(crowd.map((user) => [user, [{ user, granted: () => held.get(user) ?? null }]]))
  return {
    again: async (who: string, key: string) => {
      const image = JSON.stringify({ person: who, owner_id: key })
      const changed = [{ ...changedRow, table: 'shares', new: image }]
      if (!regranting.along.isNeeded(changed)) throw new Error('Nobody is concerned.')
      const { size } = await read((transaction) => regranting.along.read(transaction, changed))
      if (size !== (grants === inferred ? 1 : people)) throw new Error(`${size} people were worked out again.`)
    },
    greet: async (who: string) => {
      const answer = await read((transaction) => regranting.reader.of(transaction, [userId(who)]))
      if (answer.get(userId(who))?.size !== scopes) throw new Error('Not all scopes were found.')
    },
    stop: regranting.stop,
  }
}

const changedRow: LogRow = { ...blankLogRow, seq: 1n, table: null, op: 'g' }
