// The form of a file disk's bytes. A frame is what one append wrote: the length of its body, the body's checksum, the body.
// A body is the number of its records, then each: its length and text. A frame counts only if it is whole and its checksum is right.
import { crc32 } from 'node:zlib'
import { assert } from '@headwater/protocol'
import type { DiskRecord } from '../ports.ts'

const headBytes = 8
const bytesMax = 0x7fff_ffff
/** Set in a record's length when its text is UTF-16: a lone surrogate has no form in UTF-8, and comes back as it was. */
const wideFlag = 0x8000_0000

/** One frame of at least one record. */
export function frameOf(records: readonly DiskRecord[]): Buffer {
  const texts = records.map((record) => {
    const isWide = /\p{Surrogate}/u.test(record)
    return { bytes: Buffer.from(record, isWide ? 'utf16le' : 'utf8'), flag: isWide ? wideFlag : 0 }
  })
  const length = texts.reduce((sum, { bytes }) => sum + 4 + bytes.length, 4)
  assert(length < bytesMax, 'one append fits in a frame')
  const frame = Buffer.allocUnsafe(headBytes + length)
  let at = frame.writeUInt32LE(records.length, headBytes)
  for (const { bytes, flag } of texts) {
    // The flag is the highest of 32 bits: a sum, because JavaScript's `|` would make the number negative.
    at = frame.writeUInt32LE(bytes.length + flag, at)
    at += bytes.copy(frame, at)
  }
  frame.writeUInt32LE(length, 0)
  frame.writeUInt32LE(crc32(frame.subarray(headBytes)), 4)
  return frame
}

/** The records of every whole frame, with '' for what is damaged between two of them, and where the last one ends. */
export function readFrames(bytes: Buffer): { readonly records: readonly DiskRecord[]; readonly end: number } {
  const records: DiskRecord[] = []
  let end = 0
  for (let at = 0; at < bytes.length; at++) {
    const body = bodyAt(bytes, at)
    if (body === null) continue
    if (at > end) records.push('')
    readBody(body, records)
    end = at + headBytes + body.length
    at = end - 1
  }
  return { records, end }
}

/** The body of the frame at `start`, or null if there is no whole one. A body of length 0, as in a tail of zeros, is none. */
function bodyAt(bytes: Buffer, start: number): Buffer | null {
  if (bytes.length < start + headBytes) return null
  const length = bytes.readUInt32LE(start)
  const body = bytes.subarray(start + headBytes, start + headBytes + length)
  // Behind what is damaged a frame may begin at any byte: few of them need their checksum.
  return length > 0 && body.length === length && isBody(body) && crc32(body) === bytes.readUInt32LE(start + 4) ? body : null
}

/** True if its lengths come to its own. */
function isBody(body: Buffer): boolean {
  let [at, count] = [4, body.length < 4 ? 0 : body.readUInt32LE(0)]
  if (count === 0) return false
  for (; count > 0 && at + 4 <= body.length; count--) at += 4 + (body.readUInt32LE(at) % wideFlag)
  return count === 0 && at === body.length
}

function readBody(body: Buffer, records: DiskRecord[]): void {
  const count = body.readUInt32LE(0)
  let at = 4
  for (let i = 0; i < count; i++) {
    const marked = body.readUInt32LE(at)
    const length = marked % wideFlag
    records.push(body.toString(marked >= wideFlag ? 'utf16le' : 'utf8', at + 4, at + 4 + length))
    at += 4 + length
  }
}
