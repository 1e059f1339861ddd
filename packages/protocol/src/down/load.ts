import * as limits from '../limits.ts'
import { count, type Infer, list, literal, nullable, object, text } from '../shape.ts'
import { tuples } from './checkpoint.ts'

/** A piece of a load. The device stages it; it becomes visible in the checkpoint that names its load. */
export const load = object({
  type: literal('load'),
  load: count,
  table: text(limits.nameLengthMax),
  /** Which of the columns named by `welcome` each row has, by their place there; null: all of them. */
  columns: nullable(list(count, limits.columnsMax)),
  rows: tuples,
  /** Only the server can read it. Given in the next hello, the load goes on behind this piece. null: the load cannot be continued. */
  mark: nullable(text(limits.cursorLengthMax)),
  /** How many rows the device will hold after the loads of its greeting, about; null: this load is not one of them. */
  total: nullable(count),
})
export type Load = Infer<typeof load>
