import type { Ports } from './ports.ts'

/** Makes uuids of version 7: by time of making, also within a millisecond and when the clock is set back. */
export function createIds({ clock, chance }: Pick<Ports, 'clock' | 'chance'>): () => string {
  // Milliseconds and, in the last three hexadecimal digits, a count within them.
  let last = 0n
  return () => {
    const now = BigInt(Math.trunc(clock.now())) << 12n
    last = now > last ? now : last + 1n
    const bytes = chance.bytes(8)
    // The variant takes the place of the first two random bits.
    bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x80
    const random = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    const time = last.toString(16).padStart(15, '0').slice(-15)
    return (time + random).replace(/(.{8})(.{4})(...)(....)/, '$1-$2-7$3-$4-')
  }
}
