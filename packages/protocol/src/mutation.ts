import type { MutationId } from './ids.ts'
import * as limits from './limits.ts'
import { count, type Infer, json, object, text } from './shape.ts'

/** Of one mutation as it travels. From the first time it is sent, its number and payload never change. */
export const mutationFields = {
  /** 1, 2, 3 ... per device, without gaps. */
  number: count,
  id: text<MutationId>(limits.idLengthMax),
  /** `projects.insert`, or the name of a mutator. */
  name: text(limits.nameLengthMax),
  args: json,
  /** When it was made, by the device's clock, as `2026-11-21T03:43:43.123456Z`. Advisory: nothing is decided by it. */
  at: text(40),
}
export const mutation = object(mutationFields)
export type Mutation = Infer<typeof mutation>
