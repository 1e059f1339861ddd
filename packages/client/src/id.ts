import type { Ports } from './ports.ts'

/** Makes uuids of version 7: by time of making, also within a millisecond and when the clock is set back. */
export function createIds({ clock, chance }: Pick<Ports, 'clock' | 'chance'>): () => string {
  let lastMs = 0
  let count = 0
  return () => {
    const nowMs = Math.trunc(clock.now())
    count = nowMs > lastMs ? 0 : count + 1
    lastMs = Math.max(lastMs, nowMs)
    if (count > 0xfff) {
      lastMs++
      count = 0
    }
    const bytes = chance.bytes(8)
    // The variant takes the place of the first two random bits.
    bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x80
    const random = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    const time = lastMs.toString(16).padStart(12, '0').slice(-12)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count.toString(16).padStart(3, '0')}-${random.slice(0, 4)}-${random.slice(4)}`
  }
}
