import * as limits from '../limits.ts'
import { count, type Infer, list, literal, object, text, tuple } from '../shape.ts'

/** A piece of a load. The device stages it; it becomes visible in the checkpoint that names its load. */
export const load = object({
  type: literal('load'),
  load: count,
  table: text(limits.nameLengthMax),
  rows: list(tuple, 1_000_000),
})
export type Load = Infer<typeof load>
