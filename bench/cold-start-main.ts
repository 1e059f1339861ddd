// One cold start in Node: a device on the file disk in the given folder. The disk alone is read after it, so that nothing of it is warm before.

import { diskName } from '../packages/client/src/address.ts'
import { createFileDisks } from '../packages/client/src/disk/file.ts'
import { person } from './app.ts'
import { type ColdStart, startCold } from './cold-start.ts'
import { openDevice } from './device.ts'

const [directory = '', url = ''] = process.argv.slice(2)
const openDisk = createFileDisks(directory)
const { firstMs, allMs, device } = await startCold(() => openDevice({ url, openDisk, isPacked: true }))
await device.close()
const start = performance.now()
const disk = await openDisk(diskName(person, url))
await disk.read()
const rawMs = performance.now() - start
await disk.close()
const found: ColdStart = { firstMs, allMs, rawMs }
process.send?.(found, () => process.exit(0))
