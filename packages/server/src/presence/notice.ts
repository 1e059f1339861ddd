// What servers on one PostgreSQL say to each other of who is where, as payloads of NOTIFY.
import { check, count, flag, type Infer, json, list, nullable, object, type ScopeKey, text, limits as wire } from '@headwater/protocol'
import type { Person } from './people.ts'

const scopes = list(text<ScopeKey>(wire.idLengthMax), 1_000)

/** Of one server in one scope. */
const telling = object({
  scope: text<ScopeKey>(wire.idLengthMax),
  /** `true`: whoever is not named is not there. */
  whole: nullable(flag),
  count,
  here: nullable(list(object({ id: text(wire.idLengthMax), user: text(wire.idLengthMax), value: json }), wire.presenceToldMax)),
  gone: nullable(list(text(wire.idLengthMax), wire.presenceToldMax)),
})
export type Telling = Infer<typeof telling>

const notice = object({
  /** The server, by a name that it has for as long as it runs. */
  from: text(wire.idLengthMax),
  /** `hi`: it knows nothing of anybody, and nothing that was heard of it before counts. `all`: it looks at nothing but what it says now. `more`: there is more. `bye`: it stops. */
  as: text<'hi' | 'all' | 'more' | 'bye'>(wire.nameLengthMax),
  /** Scopes that it looks at from now on, and looks at no more. */
  wants: nullable(scopes),
  drops: nullable(scopes),
  tells: nullable(list(telling, 1_000)),
})
export type Notice = Infer<typeof notice>

/** null: whoever may connect to the database can say anything there. What is no notice concerns nobody. */
export function noticeOf(payload: string): Notice | null {
  try {
    return check(notice, JSON.parse(payload))
  } catch {
    return null
  }
}

/** One that says nothing else. */
export const noticeText = (from: string, as: Notice['as']): string => JSON.stringify({ from, as })

/** A part of a payload. */
export const tellingText = (
  scope: ScopeKey,
  isWhole: boolean,
  total: number,
  here: readonly (readonly [string, Person])[],
  gone: readonly string[],
): string => {
  const named = here.map(([id, { user, value }]) => `{"id":${JSON.stringify(id)},"user":${JSON.stringify(user)},"value":${value}}`)
  return `{"scope":${JSON.stringify(scope)},"whole":${isWhole},"count":${total},"gone":${JSON.stringify(gone)},"here":[${named.join()}]}`
}

/** Payloads of at most so many bytes, with all the parts in order: one at least, unless there is only `more` to say. A part that is longer than one is left out. */
export function payloadsOf(from: string, as: Notice['as'], member: 'wants' | 'drops' | 'tells', parts: readonly string[], bytesMax: number): readonly string[] {
  const payloads: string[] = []
  const open = () => `{"from":${JSON.stringify(from)},"as":"${payloads.length === 0 ? as : 'more'}","${member}":[`
  let text = ''
  let bytes = 0
  const close = () => payloads.push(`${open()}${text}]}`)
  for (const part of parts) {
    const partBytes = Buffer.byteLength(part) + 1
    // What is around the parts takes less than this.
    if (partBytes > bytesMax - 300) continue
    if (bytes + partBytes > bytesMax - 300) {
      close()
      text = ''
      bytes = 0
    }
    text = text === '' ? part : `${text},${part}`
    bytes += partBytes
  }
  if (text !== '' || as !== 'more') close()
  return payloads
}
