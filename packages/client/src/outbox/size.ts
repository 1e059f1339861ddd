import { HeadwaterError, unstorable } from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'

/** Bytes of a text in UTF-8. */
export const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** Throws for arguments that could never be carried out: too deep, or not storable as JSON. */
export function assertStorable(name: string, args: unknown): void {
  const why = unstorable(args, limits.jsonDepthMax, name)
  if (why !== null) throw new HeadwaterError('invalid', `${why}.`)
}

/** The arguments as they will travel. Throws for what is too large. */
export function textOf(name: string, args: unknown): string {
  const text = JSON.stringify(args)
  const bytes = byteLength(name + text)
  if (bytes > limits.mutationBytesMax) throw new HeadwaterError('too-large', `${name} has ${bytes} bytes of at most ${limits.mutationBytesMax}.`)
  return text
}
