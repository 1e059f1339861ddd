import type { BenchClient } from './app.ts'

/** One start of a device, in milliseconds from its beginning; `rawMs` is the disk alone. */
export interface ColdStart {
  readonly firstMs: number
  readonly allMs: number
  readonly rawMs: number
}

/** Until a query of 50 rows is answered, and until all rows were handed out. */
export async function startCold(open: () => BenchClient): Promise<Pick<ColdStart, 'firstMs' | 'allMs'> & { readonly device: BenchClient }> {
  const start = performance.now()
  const device = open()
  await device.ready
  const top = device.query.items.orderBy('rank', 'desc').limit(50).all()
  const firstMs = performance.now() - start
  const all = device.query.items.all()
  const allMs = performance.now() - start
  if (top[0]?.rank !== 100_000 || all.length !== 100_000) throw new Error(`The device has ${all.length} rows.`)
  return { firstMs, allMs, device }
}
