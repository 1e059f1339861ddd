// What a server takes of the machine, beside PostgreSQL: after its start, and with three devices that have loaded 100,000 rows each. The
// limits are a process of Node that does nothing, and the server without its devices: what it keeps of them must not grow with their rows.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import type { Figure } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { untilLive } from '../wait.ts'

const bytesPerMb = 1_048_576
const devices = 3

export const memory = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(100_000))
    const server = await bed.startServer()
    const idle = (await server.rssBytes()) / bytesPerMb
    for (let i = 0; i < devices; i++) await untilLive(openDevice(server))
    const busy = (await server.rssBytes()) / bytesPerMb
    return [
      { name: 'server memory, idle', unit: 'MB', value: idle, limit: (await bareRssBytes()) / bytesPerMb },
      { name: 'server memory, three devices of 100k rows', unit: 'MB', value: busy, limit: idle },
    ]
  })

/** A process of Node that has only said how large it is. */
function bareRssBytes(): Promise<number> {
  const child = fork(fileURLToPath(new URL('./bare-main.mjs', import.meta.url)), [], { execArgv: ['--expose-gc'] })
  return new Promise((resolve, reject) => {
    child.on('message', (bytes) => resolve(Number(bytes)))
    child.on('exit', (code) => reject(new Error(`A bare process of Node ended with ${code}.`)))
  })
}
