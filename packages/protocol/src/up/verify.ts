import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, object, text } from '../shape.ts'

const scopes = list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax)

/** Asks what the eager and the on-demand rows of scopes add up to. Answered by checkpoints with `checks`; an empty list of them is the last. */
export const verify = object({ type: literal('verify'), granted: scopes, held: scopes })
export type Verify = Infer<typeof verify>
