import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type AppProcess, startApp } from '../harness/codecraft.ts'

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
  ])('says what it does not understand, with exit code 2: %j', (args, message) => {
    const ran = headwater(...args)
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran.err).toContain(message)
  })

  test('says what went wrong and what to do, with exit code 1, as text and as JSON', () => {
    expect(headwater('status', '--app', app, '--data', join(data, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/There is no database[\s\S]*headwater dev/),
    })
    expect(headwater('dev', '--app', data)).toMatchObject({ code: 1, err: expect.stringContaining('headwater.config.ts') })
    const json = headwater('status', '--json', '--app', app, '--data', join(data, 'none'))
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'no-database', hint: expect.stringContaining('headwater dev') } })
    expect(headwater('status', '--database', 'postgres://127.0.0.1:1/none')).toMatchObject({ code: 1, err: expect.not.stringContaining('\n    at ') })
    expect(headwater('status', '--database', inject('nativeUrl'))).toMatchObject({ code: 1, err: expect.stringContaining('not installed') })
  })
})

describe('with a running app', () => {
  let running: AppProcess

  beforeAll(async () => {
    running = await startApp({ data: join(data, 'app'), database: null })
  })
  afterAll(() => running?.kill('SIGTERM'))

  test('status tells which database it is and what it holds', () => {
    const { code, out } = headwater('status', '--json', '--app', app, '--data', join(data, 'app'))
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      server: running.url,
      tables: { users: 3, projects: expect.any(Number) },
      database: { id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    })
    expect(headwater('status', '--app', app, '--data', join(data, 'app')).out).toContain(running.url)
  })

  test('tail shows what is committed, by whom, what it was and what it became', async () => {
    const sql = postgres(running.sqlUrl, { max: 1, fetch_types: false })
    await sql.unsafe(`update users set name = 'Ada the First' where id = 'ada'`)
    await sql.end()
    const text = headwater('tail', '--once', '--last', '1', '--app', app, '--data', join(data, 'app'))
    expect(text).toMatchObject({ code: 0, out: expect.stringMatching(/update +users ada by \S+ +name: "Ada Marsh" → "Ada the First"/) })
    const json = headwater('tail', '--once', '--last', '1', '--json', '--app', app, '--data', join(data, 'app'))
    expect(JSON.parse(json.out)).toMatchObject({
      table: 'users',
      op: 'u',
      key: ['ada'],
      old: { name: 'Ada Marsh' },
      new: { name: 'Ada the First' },
      actor: null,
    })
  })

  test('a second app on the same embedded database is refused, and says who has it', () => {
    const second = headwater('dev', '--app', app, '--data', join(data, 'app'), '--port', '0')
    expect(second).toMatchObject({ code: 1, err: expect.stringMatching(/error: .*\n/) })
  })

  test('a seed is not sown twice: after a restart the rows are the same', async () => {
    const before = JSON.parse(headwater('status', '--json', '--app', app, '--data', join(data, 'app')).out).tables
    await running.kill('SIGTERM')
    running = await startApp({ data: join(data, 'app'), database: null })
    expect(JSON.parse(headwater('status', '--json', '--app', app, '--data', join(data, 'app')).out).tables).toEqual(before)
  })
})
