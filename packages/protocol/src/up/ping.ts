import { type Infer, literal, object } from '../shape.ts'

/** Says that the device is there. Answered by `pong`. */
export const ping = object({ type: literal('ping') })
export type Ping = Infer<typeof ping>
