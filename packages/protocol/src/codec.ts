// Invariant: nothing that came over a socket is used before it passed through here, and nothing is checked twice.
import { type Down, downShapes } from './down/down.ts'
import { type Aside, asideShapes } from './down/presence.ts'
import { HeadwaterError } from './error.ts'
import * as limits from './limits.ts'
import { check, malformed, type Shape } from './shape.ts'
import { type Up, upShapes } from './up/up.ts'

/** The version of the protocol that this code speaks. `SPEC.md` has the history. */
export const protocolVersion = 1

export const decodeUp = (frame: string): Up => decode<Up>(frame, upShapes, limits.upBytesMax)
export const decodeDown = (frame: string): Down => decode<Down>(frame, downShapes, limits.downBytesMax)
/** What a server says to a device that has presence: a frame of `presence`, and what a welcome says besides. */
export const decodeAside = (frame: string): Aside => decode<Aside>(frame, asideShapes, limits.downBytesMax)

/** undefined members are left out, as JSON does. */
export const encode = (message: Up | Down | Aside): string =>
  JSON.stringify(message, (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value))

function decode<M>(frame: string, shapes: Readonly<Record<string, Shape<unknown>>>, bytesMax: number): M {
  // One UTF-16 unit is at least one byte: a frame that is longer than this in units is too large in bytes as well.
  if (frame.length > bytesMax) throw new HeadwaterError('too-large', `More than ${bytesMax} bytes.`)
  const value = parse(frame)
  // Of what is no object there is no type.
  const { type } = Object(value) as { readonly type?: unknown }
  const shape = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined
  if (shape === undefined) return malformed('', 'of a known type')
  // The shape was found by its type among the members of the union.
  return check(shape, value) as M
}

function parse(frame: string): unknown {
  try {
    return JSON.parse(frame)
  } catch {
    return malformed('', 'JSON')
  }
}
