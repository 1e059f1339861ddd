import type { Ports } from './ports.ts'

/** Makes uuids of version 7: by time of making, also within a millisecond and when the clock is set back. */
export function createIds({ clock, chance }: Pick<Ports, 'clock' | 'chance'>): () => string {
  let lastMs = 0
  // Within the millisecond; three hexadecimal digits.
  let count = 0
  return () => {
    const nowMs = Math.trunc(clock.now())
    const isLater = nowMs > lastMs
    count = isLater ? 0 : (count + 1) % 4_096
    lastMs = isLater ? nowMs : lastMs + Number(count === 0)
    const time = lastMs.toString(16).padStart(12, '0')
    // The variant takes the place of the first two random bits.
    const random = Array.from(chance.bytes(8), (byte, at) => (at === 0 ? (byte & 0x3f) | 0x180 : byte + 0x100).toString(16).slice(1)).join('')
    return `${time.slice(0, 8)}-${time.slice(8)}-7${(count + 4_096).toString(16).slice(1)}-${random.slice(0, 4)}-${random.slice(4)}`
  }
}
