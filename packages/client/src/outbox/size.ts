import { HeadwaterError, type Json, unstorable } from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'

/** Bytes of a text in UTF-8. */
export const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** The arguments as they will travel. Throws for a mutation that could never be carried out: too large, too deep, or not storable as JSON. */
export function copyOf(name: string, args: unknown): Json {
  const why = unstorable(args, limits.jsonDepthMax, name)
  if (why !== null) throw new HeadwaterError('invalid', `${why}.`)
  const text = JSON.stringify(args)
  const bytes = byteLength(name + text)
  if (bytes > limits.mutationBytesMax) throw new HeadwaterError('too-large', `${name} has ${bytes} bytes of at most ${limits.mutationBytesMax}.`)
  return JSON.parse(text)
}
