// Commands about a database, in this process: seed, reset, identity, and the status of several servers.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { startServer } from '../harness/app.ts'
import { command } from '../harness/command.ts'
import { createDatabase, native, type OpenedDatabase } from '../harness/databases.ts'
import { startPooler } from '../harness/pooler.ts'

// Each opens databases of its own, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const app = 'examples/codecraft'
let opened: OpenedDatabase
let url: string
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-cli-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  opened = await native.open()
  url = opened.url ?? ''
})
afterEach(() => opened.close())

const on = (...args: readonly string[]) => command(...args, '--app', app, '--database', url)
const countUsers = async () => Number((await opened.database.query('select count(*)::text as n from users'))[0]?.n)

describe('seed and reset', () => {
  test('a seed is sown once, also at once, and after a reset again', async () => {
    expect(await on('seed')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/not installed[\s\S]*headwater migrate/) })
    expect(await on('migrate')).toMatchObject({ code: 0 })
    expect(JSON.parse((await on('seed', '--json')).out)).toEqual({ seeded: true })
    const seeded = await countUsers()
    expect(seeded).toBeGreaterThan(0)
    expect(await on('seed')).toMatchObject({ code: 0, out: expect.stringContaining('seeded before') })
    expect(await countUsers()).toBe(seeded)

    await opened.database.execute(
      `create view busy as select * from users; create type mood as enum ('good'); create function one() returns int language sql as 'select 1'`,
    )
    expect(await on('reset')).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/Nobody has confirmed[\s\S]*--confirm/) })
    expect(await on('reset', '--confirm', 'another')).toMatchObject({ code: 2, err: expect.stringContaining('not another') })
    expect(await countUsers()).toBe(seeded)
    const name = new URL(url).pathname.slice(1)
    const before = await opened.database.query('select database::text as id from headwater.identity')
    const done = JSON.parse((await on('reset', '--confirm', name, '--json')).out)
    expect(done.tables).toContain('users')
    expect(
      await opened.database.query(
        `select to_regclass('users') is null and to_regclass('busy') is null and to_regtype('mood') is null and to_regproc('one') is null as gone`,
      ),
    ).toEqual([{ gone: true }])
    // Servers that remember the one of before take this one for it.
    expect(await opened.database.query('select replaces::text as id from headwater.identity')).toEqual(before)
    expect(await on('migrate')).toMatchObject({ code: 0 })
    expect(await on('seed')).toMatchObject({ code: 0, out: 'seeded\n' })
    expect(await countUsers()).toBe(seeded)
  })

  test('a reset of a database that nobody ever used is one of nothing, and one that is served is refused', async () => {
    expect(JSON.parse((await on('reset', '--yes', '--json')).out)).toEqual({ tables: [] })
    const server = await startServer(await openPostgres(url))
    await expect.poll(async () => (await on('reset', '--yes')).err, { timeout: 30_000 }).toMatch(/Servers run on this database[\s\S]*Stop them first/)
    expect(await opened.database.query(`select to_regclass('projects') is not null as there`)).toEqual([{ there: true }])
    await server.close()
    expect(await on('reset', '--yes')).toMatchObject({ code: 0, out: expect.stringContaining('tables are gone') })
  })

  test('an embedded database is reset like any other', async () => {
    const data = join(folder, 'embedded')
    const database = await openEmbedded({ directory: join(data, 'database') })
    await database.execute('create table mine (id int); insert into mine values (1)')
    await database.close()
    const ran = await command('reset', '--yes', '--json', '--app', app, '--data', data)
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(ran.out)).toEqual({ tables: ['mine'] })
  }, 180_000)
})

describe('identity', () => {
  test('shows which database it is, finds a copy, and says what it is from now on', async () => {
    const state = join(folder, 'state')
    const bare = JSON.parse((await on('identity', '--json', '--state', state)).out)
    expect(bare).toMatchObject({ database: null, finding: null })
    expect((await on('identity', '--state', state)).out).toContain('no server was ever started on it')

    const server = await startServer(await openPostgres(url), { stateDirectory: state })
    const { identity } = server
    await server.close()
    const found = JSON.parse((await on('identity', '--json', '--state', state)).out)
    expect(found).toMatchObject({ ...identity, finding: null, before: { database: identity.database } })
    expect((await on('identity', '--state', state)).out).toContain('a server would serve it')

    // Another database in its place, as by a wrong URL.
    const other = await createDatabase(url)
    try {
      const at = (...args: readonly string[]) => command(...args, '--app', app, '--database', url, '--state', state)
      await opened.database.execute(`update headwater.identity set database = '00000000-0000-4000-8000-000000000001'`)
      const swapped = JSON.parse((await at('identity', '--json')).out)
      expect(swapped.finding).toMatchObject({ kind: 'swapped' })
      const text = await at('identity')
      expect(text).toMatchObject({ code: 0, out: expect.stringMatching(/held[\s\S]*--instead-of/) })
      // The very line that it says to run.
      const [, said = ''] = /run `headwater (.*?)`/.exec(text.out) ?? []
      expect(await at(...said.split(' '))).toMatchObject({ code: 0, out: expect.stringContaining('This is the database 00000000') })
      expect(JSON.parse((await at('identity', '--json')).out).finding).toBe(null)
      const copied = JSON.parse((await at('identity', 'adopt', '--as', 'copy', '--json')).out)
      expect(copied.database).not.toBe('00000000-0000-4000-8000-000000000001')
      expect(await command('identity', 'adopt', '--as', 'same', '--app', app, '--database', other.url)).toMatchObject({
        code: 1,
        err: expect.stringContaining('not installed'),
      })
    } finally {
      await other.drop()
    }
  })

  test.each([
    [['adopt'], 'not said as what'],
    [['adopt', '--as', 'mine'], 'not said as what'],
    [['forget'], 'called forget'],
    [['--as', 'copy'], 'called so'],
  ])('says what it does not understand: %j', async (args, message) => {
    expect(await on('identity', ...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) })
  })
})

test('doctor says where a pooler keeps servers from hearing each other', async () => {
  const pooler = await startPooler(url)
  try {
    const ran = await command('doctor', '--json', '--app', app, '--database', pooler.url(new URL(url).pathname.slice(1)))
    const findings: readonly { about: string; state: string }[] = JSON.parse(ran.out)
    expect(findings.find(({ about }) => about === 'notifications')).toMatchObject({ state: 'doubtful', hint: expect.stringContaining('directUrl') })
    const direct: readonly { about: string; state: string }[] = JSON.parse((await on('doctor', '--json')).out)
    expect(direct.find(({ about }) => about === 'notifications')).toMatchObject({ state: 'good' })
  } finally {
    await pooler.stop()
  }
})

test('status names every server of a database, with its devices', async () => {
  const servers = [await startServer(await openPostgres(url)), await startServer(await openPostgres(url))]
  try {
    await expect.poll(async () => JSON.parse((await on('status', '--json')).out).servers.length, { timeout: 30_000 }).toBe(2)
    const { out } = await on('status')
    expect(out.match(new RegExp(`${process.pid}, version 0\\.1\\.0, since .*, 0 devices`, 'g'))).toHaveLength(2)
  } finally {
    for (const server of servers) await server.close()
  }
})
