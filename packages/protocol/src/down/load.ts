import * as limits from '../limits.ts'
import { count, type Infer, list, literal, nullable, object, text, tuple } from '../shape.ts'

/** A piece of a load. The device stages it; it becomes visible in the checkpoint that names its load. */
export const load = object({
  type: literal('load'),
  load: count,
  table: text(limits.nameLengthMax),
  /** Which of the columns named by `welcome` each row has, by their place there; null: all of them. */
  columns: nullable(list(count, limits.columnsMax)),
  rows: list(tuple, 1_000_000),
  /** Only the server can read it. Given in the next hello, the load goes on behind this piece. null: the load cannot be continued. */
  mark: nullable(text(limits.cursorLengthMax)),
  /** About how many rows the whole load has; null: unknown. */
  total: nullable(count),
})
export type Load = Infer<typeof load>
