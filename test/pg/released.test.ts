// What earlier versions left is opened by this one: see scripts/fixture.ts. A fixture of a released version is never made again.
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { untar } from '../../packages/server/src/database/tar.ts'
import { untilLevel } from '../harness/device.ts'
import { openReleased, openReleasedDevice, project } from '../harness/released.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const versions = (await readdir(fixtures)).filter((name) => name.endsWith('.tar.br'))

test('there is a fixture of this version', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../packages/server/package.json'), 'utf8'))
  expect(versions).toContain(`${version}.tar.br`)
})

test.each(versions)('W10 a database and a device of %s are opened: rows, log, devices, outcomes, and what was not sent', async (name) => {
  const folder = await mkdtemp(join(tmpdir(), 'hw-released-'))
  await untar(brotliDecompressSync(await readFile(join(fixtures, name))), folder, false)
  // Directories of PostgreSQL that are empty are not in every tar.
  await mkdir(join(folder, 'database/data/pg_notify'), { recursive: true })
  const server = await openReleased(join(folder, 'database'))
  expect(await server.status()).toMatchObject({
    troubles: {},
    tables: { people: 1, projects: 1, messages: 1 },
    devices: 1,
    mutations: { applied: 2, refused: 0 },
  })
  expect(await server.database.query('select title, visits from projects')).toEqual([{ title: 'Changed meanwhile', visits: 1 }])
  expect(
    await server.database.query(`select op::text as op, count(*)::int as n from headwater.log where table_name = 'projects' group by 1 order by 1`),
  ).toEqual([
    { op: 'i', n: 1 },
    { op: 'u', n: 2 },
  ])
  const device = openReleasedDevice(server.url, join(folder, 'device'))
  await untilLevel(device)
  expect(device.query.projects.all()).toMatchObject([{ id: project, title: 'Changed meanwhile', visits: 2 }])
  expect(await server.database.query('select visits from projects')).toEqual([{ visits: 2 }])
  expect(await server.database.query('select content from messages order by content')).toEqual([{ content: 'Made away' }, { content: 'Typed' }])
  await server.database.query(`update projects set title = 'By this version'`)
  await expect.poll(() => device.query.projects.all().map(({ title }) => title), { timeout: 15_000 }).toEqual(['By this version'])
  await device.close()
  await server.close()
  await rm(folder, { recursive: true })
})
