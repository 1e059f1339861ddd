// A mutation on a device that holds 100,000 rows, until it is saved on its disk. The limit is an append of as many bytes, as durable.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import { withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, latencies } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { untilLive } from '../wait.ts'
import { measureWrites, type Writes } from '../writes.ts'

export const durableWriteNode = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(100_000))
    const server = await bed.startServer()
    const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
    const device = openDevice({ ...server, openDisk: createFileDisks(directory) })
    await untilLive(device)
    const file = await open(join(directory, 'limit'), 'a')
    const writes = await measureWrites(device, async (text) => {
      await file.appendFile(text)
      await file.datasync()
    })
    await file.close()
    await device.close()
    await rm(directory, { recursive: true })
    return durableWrites('Node', writes)
  })

export const durableWrites = (where: string, { times, limits }: Writes): readonly Figure[] =>
  latencies(`durable write in ${where}, 100k rows held`, times, limits)
