// The ways into a server: passwords, certificates, sockets, and what a URL says of them.
import { execFile } from 'node:child_process'
import { chown, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unprivilegedOwner } from '../../packages/server/src/database/native/binaries.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { type Native, startNative } from '../harness/native.ts'

let native: Native
let name: string

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

beforeAll(async () => {
  native = await startNative()
  name = await native.createDatabase()
  const hba = join(native.directory, 'data', 'pg_hba.conf')
  const trusting = await readFile(hba, 'utf8')
  const methods = ['scram-sha-256', 'md5', 'password', 'reject'].map((method) => `host all ${method.replaceAll('-', '_')} 127.0.0.1/32 ${method}\n`)
  await writeFile(hba, methods.join('') + trusting)
  const admin = await openPostgres(native.url(name))
  await admin.execute(`
    set password_encryption = 'scram-sha-256'; create role scram_sha_256 login password 'gehéim ß/@:'; create role password login password 'gehéim ß/@:'; create role reject login;
    set password_encryption = 'md5'; create role md5 login password 'gehéim ß/@:'`)
  await admin.query('select pg_reload_conf()')
  await admin.close()
  await pause(200)
})
afterAll(() => native.stop())

async function whoAmI(url: string): Promise<unknown> {
  const other = await openPostgres(url)
  try {
    return (await other.query('select current_user::text as who'))[0]?.who
  } finally {
    await other.close()
  }
}
const as = (user: string, password: string, rest = '') => `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${native.port}/${name}${rest}`

test.each(['scram_sha_256', 'md5', 'password'])('%s lets in whoever knows the password, and nobody else', async (user) => {
  expect(await whoAmI(as(user, 'gehéim ß/@:'))).toBe(user)
  await expect(whoAmI(as(user, 'wrong'))).rejects.toMatchObject({ code: 'connection', details: { sqlstate: '28P01' } })
  await expect(whoAmI(as(user, ''))).rejects.toMatchObject({ code: 'connection' })
})

test('who is refused, an unknown database and a port where nobody listens are connections that are not made', async () => {
  await expect(whoAmI(as('reject', 'x'))).rejects.toMatchObject({ code: 'connection', details: { sqlstate: '28000' } })
  await expect(whoAmI(native.url('nowhere'))).rejects.toMatchObject({ code: 'connection', details: { sqlstate: '3D000' } })
  await expect(whoAmI('postgres://postgres@127.0.0.1:1/x')).rejects.toMatchObject({ code: 'connection' })
})

test.each([
  'http://127.0.0.1/x',
  'postgres://postgres@127.0.0.1:port/x',
  'postgres://postgres@127.0.0.1/x?sslmode=sometimes',
  'postgres://postgres@127.0.0.1/x?sslmode=verify-full&sslrootcert=/nowhere',
])('%s is refused before anything connects', async (url) => {
  await expect(openPostgres(url)).rejects.toMatchObject({ name: 'HeadwaterError', code: 'invalid' })
})

test('of several hosts the first that answers is taken', async () => {
  expect(await whoAmI(`postgres://postgres@127.0.0.1:1,127.0.0.1:${native.port}/${name}`)).toBe('postgres')
})

test('a unix socket is a way in', async () => {
  expect(await whoAmI(`postgres://postgres@/${name}?host=${native.directory}&port=${native.port}`)).toBe('postgres')
})

test('what a URL says to libpq alone is not said to the server', async () => {
  expect(await whoAmI(`${native.url(name)}?channel_binding=prefer&connect_timeout=5&options=-c%20work_mem%3D7MB`)).toBe('postgres')
  const other = await openPostgres(`${native.url(name)}?options=-c%20work_mem%3D7MB&application_name=shop`)
  expect(await other.query("select current_setting('work_mem') as a, current_setting('application_name') as b")).toEqual([{ a: '7MB', b: 'shop' }])
  await other.close()
})

test('values mean the same whatever the defaults of a role are', async () => {
  const admin = await openPostgres(native.url(name))
  await admin.execute(
    `alter role md5 set datestyle = 'German'; alter role md5 set timezone = 'America/New_York'; alter role md5 set bytea_output = 'escape'; alter role md5 set extra_float_digits = -5`,
  )
  await admin.close()
  const other = await openPostgres(as('md5', 'gehéim ß/@:'))
  expect(await other.query(`select '2026-11-21 03:43:43.5+00'::timestamptz::text as a, '\\x00ff'::bytea as b, 0.1::float8 + 0.2::float8 as c`)).toEqual([
    { a: '2026-11-21 03:43:43.5+00', b: '\\x00ff', c: 0.1 + 0.2 },
  ])
  await other.close()
})

describe('with encryption', () => {
  let certificate: string

  beforeAll(async () => {
    certificate = join(native.directory, 'server.crt')
    const key = join(native.directory, 'server.key')
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ])
    const owner = unprivilegedOwner()
    if (owner) for (const file of [certificate, key]) await chown(file, owner.uid, owner.gid)
    for (const setting of [`ssl_cert_file = '${certificate}'`, `ssl_key_file = '${key}'`, 'ssl = on']) {
      // ALTER SYSTEM wants to be alone: a script is a transaction.
      await openPostgres(native.url(name)).then((admin) => admin.query(`alter system set ${setting}`).finally(() => admin.close()))
    }
    await openPostgres(native.url(name)).then((admin) => admin.query('select pg_reload_conf()').finally(() => admin.close()))
    await pause(300)
  })

  async function isEncrypted(host: string, rest: string): Promise<unknown> {
    const other = await openPostgres(`postgres://postgres@${host}:${native.port}/${name}${rest}`)
    try {
      const value = 'x'.repeat(300_000)
      expect(await other.query('select $1::text as value', [value])).toEqual([{ value }])
      return (await other.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()'))[0]?.ssl
    } finally {
      await other.close()
    }
  }

  test.each([
    ['', true],
    ['?sslmode=prefer', true],
    ['?sslmode=require', true],
    ['?sslmode=disable', false],
  ])('a URL with %j is encrypted: %s', async (rest, expected) => {
    expect(await isEncrypted('127.0.0.1', rest)).toBe(expected)
  })

  test('verify-full takes a certificate of the given authority for the given host, and no other', async () => {
    const given = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`
    expect(await isEncrypted('localhost', given)).toBe(true)
    await expect(isEncrypted('127.0.0.1', given)).rejects.toMatchObject({ code: 'connection' })
    await expect(isEncrypted('localhost', '?sslmode=verify-full')).rejects.toMatchObject({ code: 'connection' })
  })

  test.each(['', '&channel_binding=disable'])('a password is taken through encryption as well, with %j', async (rest) => {
    expect(await whoAmI(as('scram_sha_256', 'gehéim ß/@:', `?sslmode=require${rest}`))).toBe('scram_sha_256')
    await expect(whoAmI(as('scram_sha_256', 'wrong', `?sslmode=require${rest}`))).rejects.toMatchObject({ details: { sqlstate: '28P01' } })
  })

  test('a tail is encrypted as well', async () => {
    const other = await openPostgres(`${native.url(name)}?sslmode=require`)
    const tail = await other.openTail()
    expect(await tail.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toEqual([{ ssl: true }])
    await tail.close()
    await other.close()
  })
})
