// The durable write of a device, beside the raw append of as many bytes: measured in turns, in Node and in a page alike.
import { type BenchClient, itemId } from './app.ts'
import { pause } from './wait.ts'

const warmUps = 20
const rounds = 200

export interface Writes {
  /** Until the mutation is saved, in milliseconds. */
  readonly times: readonly number[]
  readonly limits: readonly number[]
}

/** `append` writes a text durably, by the plainest means. */
export async function measureWrites(device: BenchClient, append: (text: string) => Promise<void>): Promise<Writes> {
  const times: number[] = []
  const limits: number[] = []
  for (let round = -warmUps; round < rounds; round++) {
    const start = performance.now()
    await device.mutate.items.update({ id: itemId(1 + round + warmUps), title: `Changed ${round}` }).saved
    const saved = performance.now()
    // About as long as the record of this mutation.
    const text = JSON.stringify({ made: itemId(round + warmUps), at: 'x'.repeat(220) })
    await pause(4)
    const begin = performance.now()
    await append(text)
    if (round >= 0) {
      limits.push(performance.now() - begin)
      times.push(saved - start)
    }
    await pause(4)
  }
  return { times, limits }
}
