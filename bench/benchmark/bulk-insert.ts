// 100,000 rows that are made on a device, by mutations of 500 rows each, until all are shown and until all are saved. The device is offline,
// as when a person moves in with a file. The limit is a map that takes the same rows, and one durable append of the same bytes.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import { type Item, itemOf } from '../app.ts'
import { openDevice } from '../device.ts'
import { type Figure, median } from '../figure.ts'
import { until } from '../wait.ts'

const rows = 100_000
const rowsPerMutation = 500
const rounds = 3
/** A port that nothing listens on. */
const nowhere = 'http://127.0.0.1:1'

export async function bulkInsert(): Promise<readonly Figure[]> {
  const pieces = Array.from({ length: rows / rowsPerMutation }, (_, i) =>
    Array.from({ length: rowsPerMutation }, (__, j) => itemOf(1 + i * rowsPerMutation + j)),
  )
  const shown: number[] = []
  const saved: number[] = []
  const limits: number[] = []
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const found = await insert(pieces)
    const limit = await append(pieces)
    if (round === 0) continue
    shown.push(found.shownMs)
    saved.push(found.savedMs)
    limits.push(limit)
  }
  return [
    { name: 'bulk insert of 100k rows, shown', unit: 'ms', value: median(shown), limit: median(limits) },
    { name: 'bulk insert of 100k rows, saved', unit: 'ms', value: median(saved), limit: median(limits) },
  ]
}

async function insert(pieces: readonly (readonly Item[])[]): Promise<{ readonly shownMs: number; readonly savedMs: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  const device = openDevice({ url: nowhere, openDisk: createFileDisks(directory) })
  await device.ready
  const live = device.query.items.orderBy('rank', 'desc').limit(50).live()
  const start = performance.now()
  const isShown = until(live, () => live.result().rows[0]?.rank === rows).then(() => performance.now())
  const made = pieces.map((items) => device.mutate.importItems({ items: [...items] }))
  const shownMs = (await isShown) - start
  await Promise.all(made.map((one) => one.saved))
  const savedMs = performance.now() - start
  if (device.query.items.all().length !== rows) throw new Error('The device has not all rows.')
  await device.close()
  await rm(directory, { recursive: true })
  return { shownMs, savedMs }
}

async function append(pieces: readonly (readonly Item[])[]): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  const file = await open(join(directory, 'limit'), 'a')
  const byId = new Map<string, Item>()
  const start = performance.now()
  for (const items of pieces) {
    for (const one of items) byId.set(one.id, { ...one })
    await file.appendFile(JSON.stringify(items))
  }
  await file.datasync()
  const took = performance.now() - start
  await file.close()
  await rm(directory, { recursive: true })
  return took
}
