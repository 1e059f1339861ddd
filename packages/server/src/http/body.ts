import { type Json, unstorable, limits as wire } from '@headwater/protocol'
import { problem } from './problem.ts'

/** The JSON of a request, of a mutation's size at most, its objects in the order of their keys. */
export async function readJson(request: Request): Promise<Json> {
  const [type = ''] = (request.headers.get('content-type') ?? '').split(';', 1)
  if (type.trim().toLowerCase() !== 'application/json')
    throw problem(415, 'media-type', 'The body is not application/json.', 'Send content-type: application/json.')
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity')
    throw problem(415, 'media-type', 'The body is compressed.', 'Send it without content-encoding.')
  const text = await readText(request)
  const value = parse(text)
  const why = unstorable(value, wire.jsonDepthMax, 'the body')
  if (why !== null)
    throw problem(400, 'invalid', `It cannot be stored: ${why}.`, `Text without NUL and half characters, at most ${wire.jsonDepthMax} levels deep.`)
  // unstorable() has walked the whole value.
  return sorted(value as Json)
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () => problem(413, 'too-large', `The body has more than ${wire.mutationBytesMax} bytes.`, 'Send less at once.')
  if (Number(request.headers.get('content-length') ?? 0) > wire.mutationBytesMax) throw tooLarge()
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > wire.mutationBytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw notJson()
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notJson()
  }
}

/** Two ways to write the same object are the same payload. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  )
}

const notJson = () => problem(400, 'malformed', 'The body is not JSON.', 'Send one JSON object.')
