import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { findServer } from '../../packages/server/src/database/native/process.ts'
import { type AppProcess, startApp } from '../harness/codecraft.ts'
import { command } from '../harness/command.ts'
import { native } from '../harness/databases.ts'

const root = join(import.meta.dirname, '../..')
const app = 'examples/codecraft'
let data: string

/** The command line in a process of its own. */
function headwater(...args: readonly string[]) {
  const { DATABASE_URL: _, ...env } = process.env
  const ran = spawnSync(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', 'packages/cli/src/run.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
    env,
  })
  return { code: ran.status, out: ran.stdout, err: ran.stderr }
}

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'hw-cli-'))
})
afterAll(() => rm(data, { recursive: true, force: true }))

describe('the command line', () => {
  test('explains itself, and each command, with exit code 0', () => {
    expect(headwater('--help')).toMatchObject({ code: 0, out: expect.stringMatching(/dev[\s\S]*tail[\s\S]*status/) })
    expect(headwater('tail', '--help')).toMatchObject({ code: 0, out: expect.stringContaining('--last') })
    expect(headwater('--version')).toMatchObject({ code: 0, out: '0.1.0\n' })
  })

  test.each([
    [[], 'No command'],
    [['destroy'], 'no command destroy'],
    [['status', '--verbos'], 'no option verbos'],
    [['tail', '--last', 'many'], 'not a count'],
    [['dev', '--app', app, '--port', '99999'], 'not a port'],
    [['can', 'ada', 'update'], 'TABLE'],
    [['can', 'ada', 'update', 'projects', '--app', app], 'Which row'],
    [['who-sees', 'projects', '--app', app], 'Which row'],
  ])('says what it does not understand, with exit code 2: %j', async (args, message) => {
    const ran = await command(...args)
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran.err).toContain(message)
  })

  test('says what went wrong and what to do, with exit code 1, as text and as JSON', async () => {
    expect(headwater('status', '--app', app, '--data', join(data, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/There is no database[\s\S]*headwater dev/),
    })
    expect(await command('dev', '--app', data)).toMatchObject({ code: 1, err: expect.stringContaining('headwater.config.ts') })
    const json = await command('status', '--json', '--app', app, '--data', join(data, 'none'))
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'no-database', hint: expect.stringContaining('headwater dev') } })
    expect(await command('status', '--database', 'postgres://127.0.0.1:1/none')).toMatchObject({ code: 1, err: expect.not.stringContaining('\n    at ') })
    expect(await command('status', '--database', inject('nativeUrl'))).toMatchObject({ code: 1, err: expect.stringContaining('not installed') })
  })
})

describe('with a running app', () => {
  let running: AppProcess

  beforeAll(async () => {
    running = await startApp({ data: join(data, 'app'), database: null })
  })
  afterAll(() => running?.kill('SIGTERM'))

  test('status tells which database it is and what it holds', async () => {
    const { code, out } = headwater('status', '--json', '--app', app, '--data', join(data, 'app'))
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      server: running.url,
      tables: { users: 3, projects: expect.any(Number) },
      database: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    })
    expect((await command('status', '--app', app, '--data', join(data, 'app'))).out).toContain(running.url)
  })

  test('doctor finds nothing wrong with an app that runs, and says what is wrong with a database', async () => {
    const ran = await command('doctor', '--json', '--app', app, '--data', join(data, 'app'))
    const findings: readonly { about: string; state: string; says: string }[] = JSON.parse(ran.out)
    expect(findings.filter(({ state }) => state === 'bad')).toEqual([])
    expect(findings.find(({ about }) => about === 'server')).toMatchObject({ state: 'good', says: expect.stringContaining(running.url) })
    expect(findings.map(({ about }) => about)).toEqual(
      expect.arrayContaining(['node', 'disk', 'configuration', 'database', 'clock', 'transactions', 'notifications', 'identity', 'log']),
    )
    expect(ran.code).toBe(0)
    const none = await command('doctor', '--app', app, '--database', 'postgres://127.0.0.1:1/none')
    expect(none).toMatchObject({ code: 1, out: expect.stringMatching(/✗ database +127\.0\.0\.1:1 does not answer|✗ database .*does not answer/) })
    const bare = inject('nativeUrl')
    expect(await command('doctor', '--app', app, '--database', bare)).toMatchObject({ code: 1, out: expect.stringContaining('not installed') })
  })

  test('tail shows what is committed, by whom, what it was and what it became', async () => {
    const sql = postgres(running.sqlUrl, { max: 1, fetch_types: false })
    await sql.unsafe(`update users set name = 'Ada the First' where id = 'ada'`)
    await sql.end()
    const text = await command('tail', '--once', '--last', '1', '--app', app, '--data', join(data, 'app'))
    expect(text).toMatchObject({ code: 0, out: expect.stringMatching(/update +users ada by \S+ +name: "Ada Marsh" → "Ada the First"/) })
    const json = await command('tail', '--once', '--last', '1', '--json', '--app', app, '--data', join(data, 'app'))
    expect(JSON.parse(json.out)).toMatchObject({
      table: 'users',
      op: 'u',
      key: ['ada'],
      old: { name: 'Ada Marsh' },
      new: { name: 'Ada the First' },
      actor: null,
    })
  })

  describe('explains', () => {
    let shared: { readonly id: string; readonly owner: string; readonly member: string }
    const ask = (...args: readonly string[]) => command(...args, '--app', app, '--data', join(data, 'app'))

    beforeAll(async () => {
      const sql = postgres(running.sqlUrl, { max: 1, fetch_types: false })
      const rows = await sql.unsafe(
        'select p.id, p.owner_id as owner, m.user_id as member from projects p join project_members m on m.project_id = p.id limit 1',
      )
      await sql.end()
      shared = { id: String(rows[0]?.id), owner: String(rows[0]?.owner), member: String(rows[0]?.member) }
    })

    test('who may write a row, and why: exit code 0 allowed, 1 denied, 2 it could not be told', async () => {
      const { id, owner } = shared
      expect(await ask('can', owner, 'update', 'projects', id, '--columns', 'title')).toMatchObject({
        code: 0,
        out: expect.stringMatching(
          new RegExp(
            `^allowed: ${owner} may update projects ${id}[\\s\\S]*yes +to see the row[\\s\\S]*yes +to write title[\\s\\S]*holds project:${id} as owner`,
          ),
        ),
      })
      expect(await ask('can', 'nobody', 'update', 'projects', id)).toMatchObject({
        code: 1,
        out: expect.stringMatching(/^denied[\s\S]*no +to see the row[\s\S]*nobody does not hold/),
      })
      expect(await ask('can', 'nobody', 'update', 'projects', id, '--columns', 'colour')).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining('no column colour'),
      })
      expect(await ask('can', 'nobody', 'update', 'folders', id)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringMatching(/no table folders[\s\S]*projectMembers/),
      })
      expect(await ask('can', owner, 'delete', 'projects', crypto.randomUUID())).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining('There is no row'),
      })
      expect(await command('can', owner, 'update', 'projects', id, '--app', app, '--data', join(data, 'none'))).toMatchObject({ code: 2 })
    })

    test('the same as JSON, for a row with a key of two columns', async () => {
      const { id, owner, member } = shared
      for (const key of [`projectId=${id},userId=${member}`, JSON.stringify({ projectId: id, userId: member })]) {
        const { code, out } = await ask('can', owner, 'delete', 'projectMembers', '--key', key, '--json')
        expect(code).toBe(0)
        expect(JSON.parse(out)).toMatchObject({
          allowed: true,
          because: [
            { asked: 'see', isFulfilled: true },
            { asked: 'write', isFulfilled: true },
          ],
        })
      }
    })

    test('who sees a row', async () => {
      const { id, owner, member } = shared
      const text = await ask('who-sees', 'projects', id)
      expect(text.code).toBe(0)
      expect(text.out).toMatch(new RegExp(`^${owner} +owner +user:${owner}$`, 'm'))
      expect(text.out).toMatch(new RegExp(`^${member} +\\S+ +project:${id}$`, 'm'))
      const seers = JSON.parse((await ask('who-sees', 'project_members', '--json', '--key', `projectId=${id},userId=${member}`)).out)
      expect(seers).toContainEqual({ user: owner, scope: `project:${id}`, role: 'owner', until: null, columns: null })
      expect(await ask('who-sees', 'projects', crypto.randomUUID())).toMatchObject({ code: 1, err: expect.stringContaining('There is no row') })
    })
  })

  test('a second app on the same embedded database is refused, and says who has it', () => {
    const second = headwater('dev', '--app', app, '--data', join(data, 'app'), '--port', '0')
    expect(second).toMatchObject({ code: 1, err: expect.stringMatching(/error: .*\n/) })
  })

  test('a seed is not sown twice: after a restart the rows are the same', async () => {
    const before = JSON.parse((await command('status', '--json', '--app', app, '--data', join(data, 'app'))).out).tables
    await running.kill('SIGTERM')
    running = await startApp({ data: join(data, 'app'), database: null })
    expect(JSON.parse((await command('status', '--json', '--app', app, '--data', join(data, 'app'))).out).tables).toEqual(before)
  })
})

describe('migrate and uninstall', () => {
  const folder = () => join(data, 'files')
  const on = (url: string, ...args: readonly string[]) => command(...args, '--app', app, '--database', url)

  test('print what they would do, ask before they destroy, and leave the database as it was', async () => {
    const opened = await native.open()
    const url = opened.url ?? ''
    await mkdir(folder())
    await writeFile(join(folder(), '0001-old.sql'), 'create table old (id int); insert into old values (1);')
    await writeFile(join(folder(), '0002-drop.sql'), 'drop table old;')
    const dry = await on(url, 'migrate', '--folder', folder(), '--dry-run')
    expect(dry).toMatchObject({
      code: 0,
      out: expect.stringMatching(/-- 0001-old.sql\ncreate table old[\s\S]*create table public."users"[\s\S]*-- destroys: 0002-drop.sql:1 drop table old/),
    })
    expect(await opened.database.query(`select to_regclass('users') is null as absent`)).toEqual([{ absent: true }])
    expect(await on(url, 'migrate', '--folder', folder())).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/0002-drop.sql:1 drop table old[\s\S]*--yes/),
    })
    expect(await on(url, 'migrate', '--folder', folder(), '--confirm', 'another')).toMatchObject({ code: 2, err: expect.stringContaining('not another') })
    const ran = await on(url, 'migrate', '--folder', folder(), '--confirm', new URL(url).pathname.slice(1), '--json')
    expect(JSON.parse(ran.out)).toMatchObject({ files: ['0001-old.sql', '0002-drop.sql'] })
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(await on(url, 'migrate', '--folder', folder())).toMatchObject({ code: 0, out: expect.stringContaining('Everything was in place') })
    expect(await on(url, 'uninstall')).toMatchObject({ code: 2, err: expect.stringContaining('--confirm') })
    expect(await on(url, 'uninstall', '--yes')).toMatchObject({ code: 0, out: expect.stringMatching(/uninstalled.*projects/) })
    expect(JSON.parse((await on(url, 'uninstall', '--yes', '--json')).err)).toMatchObject({ error: { code: 'not-installed' } })
    expect(await opened.database.query(`select to_regclass('users') is null as absent, to_regnamespace('headwater') is null as gone`)).toEqual([
      { absent: false, gone: true },
    ])
    await opened.close()
  })
})

describe('start', () => {
  test('serves without a seed, on the port that is given or none, and stops in order', async () => {
    const started = await startApp({ data: join(data, 'start'), database: null, command: 'start' })
    expect((await fetch(`${started.url}/headwater/ready`)).status).toBe(200)
    const { code, err } = headwater('start', '--app', app, '--data', join(data, 'other'), '--port', String(started.port))
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(`Cannot listen on 127.0.0.1:${started.port}`) })
    const status = JSON.parse(headwater('status', '--json', '--app', app, '--data', join(data, 'start')).out)
    expect(status.tables).toMatchObject({ users: 0 })
    await started.kill('SIGTERM')
    expect(started.errors()).toBe('')
  })
})

describe('with a native database', () => {
  const folder = () => join(data, 'native')
  const statusOf = () => JSON.parse(headwater('status', '--json', '--app', app, '--data', folder()).out)
  const server = () => findServer(join(folder(), 'database', 'postgres'))
  const start = () => startApp({ data: folder(), database: 'native' })

  beforeAll(async () => {
    // The folder is made for one person only, and PostgreSQL does not run as root.
    await chmod(data, 0o711)
  })

  test('an app has a PostgreSQL of its own: one that is stopped with it, or taken over after it was killed', async () => {
    const first = await start()
    const { tables } = statusOf()
    expect(tables).toMatchObject({ users: 3 })
    expect(first.line).toMatchObject({ kind: 'postgres', database: expect.stringMatching(/^postgres:\/\/headwater@127\.0\.0\.1:/) })
    const pid = server()?.process.pid
    await first.kill('SIGKILL')
    expect(server()?.process.pid).toBe(pid)
    const second = await start()
    expect(server()?.process.pid).toBe(pid)
    expect(statusOf().tables).toEqual(tables)
    await second.kill('SIGTERM')
    expect(server()).toBe(null)
    // Nothing runs: the command opens the database by itself.
    expect(statusOf().tables).toEqual(tables)
    expect(server()).toBe(null)
    expect(headwater('dev', '--app', app, '--data', folder())).toMatchObject({ code: 1, err: expect.stringContaining('--database native') })
  })
})
