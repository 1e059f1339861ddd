// In a file of its own: a device without presence has nothing of it.
import { type Json, unstorable } from './json.ts'
import * as limits from './limits.ts'
import { leaf } from './shape.ts'

/** JSON that is short when it is encoded: what is told to many, and often. */
export const smallJson = leaf<Json>(
  `json(${limits.presenceLengthMax})`,
  (value) => unstorable(value, limits.jsonDepthMax) === null && JSON.stringify(value).length <= limits.presenceLengthMax,
)
