import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, object, text } from '../shape.ts'

/** Asks for the on-demand rows of scopes. Answered by `load` and a checkpoint that joins them, or by `denied`. */
export const hold = object({ type: literal('hold'), scopes: list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax) })
export type Hold = Infer<typeof hold>
