import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, nullable, object, text } from '../shape.ts'
import { smallJson } from '../small.ts'

/** What this device says of itself in scopes, until it says something else or the connection ends. Answered by `presence` for each that it is in. */
export const presence = object({
  type: literal('presence'),
  says: list(
    object({
      scope: text<ScopeKey>(limits.idLengthMax),
      /** `here`: others who are in the scope hear of it, with the value. `watching`: it hears of others. `away`: neither. */
      as: literal('here', 'watching', 'away'),
      value: nullable(smallJson),
    }),
    limits.presenceScopesMax,
  ),
})
export type Presence = Infer<typeof presence>
