import { limits } from './limits.ts'
import { protocolFailure, type WireMessage } from './wire.ts'

/** Whole messages out of the pieces in which they come. Holds at most one message that is not complete. */
export interface Reader {
  push(piece: Buffer): void
  /** The next message of a session, or null until more has come. Throws for one that is too large. */
  next(): WireMessage | null
  /** The same for what comes before a session: these have no type. */
  nextStartup(): Buffer | null
}

/** Throws for messages of more than `bytesMax`. */
export function createReader(bytesMax: number): Reader {
  let pieces: Buffer[] = []
  let length = 0
  /** Nothing is put together before this much is there: a large message would otherwise be copied with every piece of it. */
  let wanted = 0

  function joined(): Buffer {
    const [first = Buffer.alloc(0)] = pieces
    const all = pieces.length < 2 ? first : Buffer.concat(pieces, length)
    pieces = [all]
    return all
  }

  function take(bytes: number): Buffer {
    const all = joined()
    pieces = all.length > bytes ? [all.subarray(bytes)] : []
    length -= bytes
    wanted = 0
    return all.subarray(0, bytes)
  }

  /** `typed` is 1 for messages that begin with a byte that names them. */
  function whole(typed: 0 | 1, bytesMax: number): Buffer | null {
    if (length < typed + 4 || length < wanted) return null
    const size = joined().readInt32BE(typed)
    if (size < 4 || size > bytesMax) throw protocolFailure(`a message of ${size} bytes exceeds ${bytesMax} or is none`)
    wanted = typed + size
    return length < wanted ? null : take(wanted)
  }

  function push(piece: Buffer): void {
    pieces.push(piece)
    length += piece.length
  }

  function next(): WireMessage | null {
    const bytes = whole(1, bytesMax)
    return bytes && { type: String.fromCharCode(bytes[0] ?? 0), body: bytes.subarray(5), whole: bytes }
  }

  return { push, next, nextStartup: () => whole(0, limits.gatewayStartupBytesMax) }
}
