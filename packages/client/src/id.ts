import type { Ports } from './ports.ts'

/** Makes uuids of version 7: by time of making, also within a millisecond and when the clock is set back. */
export function createIds({ clock, chance }: Pick<Ports, 'clock' | 'chance'>): () => string {
  // Milliseconds, and within one three hexadecimal digits.
  let last = 0n
  return () => {
    const now = BigInt(Math.trunc(clock.now())) << 12n
    last = now > last ? now : last + 1n
    const time = last.toString(16).padStart(15, '0')
    // The variant takes the place of the last two of 64 random bits.
    const random = (chance.bytes(8).reduce((sum, byte) => (sum << 8n) + BigInt(byte), 2n) >> 2n).toString(16)
    return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${time.slice(12)}-${random.slice(0, 4)}-${random.slice(4)}`
  }
}
