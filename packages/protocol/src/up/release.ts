import type { ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { type Infer, list, literal, object, text } from '../shape.ts'

/** The device has dropped the on-demand rows of these scopes; their changes need not be sent any more. */
export const release = object({ type: literal('release'), scopes: list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax) })
export type Release = Infer<typeof release>
