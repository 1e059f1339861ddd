// Makes test/fixtures/VERSION.tar.br: a database and a device as this version of Headwater leaves them, for later ones to open. Run once per release,
// before it: node --conditions=@headwater/source --import tsx scripts/fixture.ts. What is there already is never made again once it is released.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { untilLevel } from '../test/harness/device.ts'
import { openReleased, openReleasedDevice, project } from '../test/harness/released.ts'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'packages/server/package.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'hw-fixture-'))
const [directory, disk] = [join(folder, 'database'), join(folder, 'device')]

await first()
await meanwhile()
const tar = spawnSync('tar', ['-c', '--format=ustar', '--sort=name', '--owner=0', '--group=0', '--mtime=@0', '-C', folder, 'database/data', 'device'], {
  maxBuffer: 2 ** 30,
})
if (tar.status !== 0) throw new Error(`tar: ${tar.stderr}`)
const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_PARAM_SIZE_HINT } = constants
const packed = brotliCompressSync(tar.stdout, { params: { [BROTLI_PARAM_QUALITY]: 9, [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_SIZE_HINT]: tar.stdout.length } })
const path = join(root, 'test/fixtures', `${version}.tar.br`)
mkdirSync(join(root, 'test/fixtures'), { recursive: true })
writeFileSync(path, packed)
rmSync(folder, { recursive: true })
process.stdout.write(`test/fixtures/${version}.tar.br: ${packed.length} bytes of ${tar.stdout.length}\n`)

/** A device that has been connected, and then makes two mutations without a network. */
async function first(): Promise<void> {
  const server = await openReleased(directory)
  const device = openReleasedDevice(server.url, disk)
  await untilLevel(device)
  await device.mutate.projects.insert({ id: project, ownerId: 'ada', title: 'Made by an earlier version' }).confirmed
  await device.mutate.visit({ id: project }).confirmed
  await untilLevel(device)
  await server.close()
  await device.mutate.visit({ id: project }).saved
  await device.mutate.messages.insert({ id: 'b0000000-0000-4000-8000-000000000001', projectId: project, content: 'Made away' }).saved
  await device.close()
}

/** What it has not seen yet. */
async function meanwhile(): Promise<void> {
  const server = await openReleased(directory)
  await server.database.query(`update projects set title = 'Changed meanwhile'`)
  await server.database.query(`insert into messages (id, project_id, content) select gen_random_uuid(), id, 'Typed' from projects`)
  await server.close()
}
