// A device that holds a whole scope, in a process of its own, so that its memory is nobody else's, and nobody waits for it: `holder-main URL ROWS`. Its disk is a file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePorts } from '@headwater/client/node'
import { openDevice } from './device.ts'
import { until, untilLive } from './wait.ts'

const [, , url = '', rows = '0'] = process.argv
const directory = mkdtempSync(join(tmpdir(), 'hw-bench-'))
const device = openDevice({ url, openDisk: nodePorts({ directory }).openDisk })
const live = device.query.items.where({ status: 'open' }).live()
live.subscribe(() => {})

/** Whether it shows what the statement of this name has made of the scope. */
function isShown(verb: string): boolean {
  const { rows: shown } = live.result()
  return verb === 'delete' ? shown.length === 0 : shown.length === Number(rows) && (verb === 'insert' || shown[0]?.title === 'Changed')
}

process.on('message', async (asked) => {
  if (asked === 'peakBytes') return process.send?.({ peakBytes: process.resourceUsage().maxRSS * 1_024 })
  if (asked === 'stop') {
    await device.close()
    rmSync(directory, { recursive: true, force: true })
    process.exit(0)
  }
  await until(live, () => isShown(String(asked)))
  process.send?.({ [String(asked)]: true })
})
process.on('disconnect', () => process.exit(1))
await untilLive(device)
process.send?.({ live: true })
