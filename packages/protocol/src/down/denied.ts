import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, object, text } from '../shape.ts'

/** Scopes that were asked for with `hold` and are not granted to this person. The same whether they exist or not. */
export const denied = object({ type: literal('denied'), scopes: list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax) })
export type Denied = Infer<typeof denied>
