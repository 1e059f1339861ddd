// What is only said to a device that has said `presence`. It is not among downShapes: a device without it has no byte of it.
import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { count, flag, type Infer, list, literal, nullable, object, text } from '../shape.ts'
import { smallJson } from '../small.ts'

/** Who is in a scope: everybody, or what is different since the last of these. */
export const gathered = object({
  type: literal('presence'),
  scope: text<ScopeKey>(limits.idLengthMax),
  /** False: the scope is not granted to this person, or not any more. Nothing more is heard of it until it is. The same whether it exists or not. */
  granted: flag,
  /** True: whoever is not named is not here. */
  whole: flag,
  /** How many are here: more than were ever named where there are many. */
  count,
  /** Whom this device does not know to be here, and those who say something else than before. */
  here: list(object({ id: text(limits.idLengthMax), user: text(limits.idLengthMax), value: nullable(smallJson) }), limits.presenceToldMax),
  /** Ids. Applied before `here`. */
  gone: list(text(limits.idLengthMax), limits.presenceToldMax),
})
export type Gathered = Infer<typeof gathered>

/** What a welcome says besides: by which id others hear of this device. null: this server has no presence, and must not be told any. */
export const greeted = object({ type: literal('welcome'), presence: nullable(text(limits.idLengthMax)) })
export type Greeted = Infer<typeof greeted>

export type Aside = Gathered | Greeted
export const asideShapes = { presence: gathered, welcome: greeted }
