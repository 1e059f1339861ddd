import { type Infer, literal, object } from '../shape.ts'

/** The answer to `ping`. */
export const pong = object({ type: literal('pong') })
export type Pong = Infer<typeof pong>
