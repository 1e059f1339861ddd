import type { Ports } from './ports.ts'

/** So many ids are made of the bytes of one call. */
const idsPerCall = 64
const hex = Array.from({ length: 256 }, (_, byte) => (byte + 256).toString(16).slice(1))

/** Makes uuids of version 7: by time of making, also within a millisecond and when the clock is set back. */
export function createIds({ clock, chance }: Pick<Ports, 'clock' | 'chance'>): () => string {
  let lastMs = 0
  // Within the millisecond; three hexadecimal digits.
  let count = 0
  let bytes: Uint8Array = new Uint8Array(0)
  let at = 0
  const next = () => hex[bytes[at++] ?? 0]
  return () => {
    const nowMs = Math.trunc(clock.now())
    const isLater = nowMs > lastMs
    count = isLater ? 0 : (count + 1) % 4_096
    lastMs = isLater ? nowMs : lastMs + Number(count === 0)
    if (at >= bytes.length) {
      bytes = chance.bytes(idsPerCall * 8)
      at = 0
    }
    const time = lastMs.toString(16).padStart(12, '0')
    // The variant takes the place of two random bits.
    const variant = hex[((bytes[at++] ?? 0) & 0x3f) | 0x80]
    return `${time.slice(-12, -4)}-${time.slice(-4)}-7${(count + 4_096).toString(16).slice(1)}-${variant}${next()}-${next()}${next()}${next()}${next()}${next()}${next()}`
  }
}
