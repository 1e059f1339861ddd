import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, object, text } from '../shape.ts'

const scopes = list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax)

/** Rows of these scopes do not add up to what they should. Answered by loads and checkpoints that leave and join them, and then by `checks`. */
export const repair = object({ type: literal('repair'), granted: scopes, held: scopes })
export type Repair = Infer<typeof repair>
