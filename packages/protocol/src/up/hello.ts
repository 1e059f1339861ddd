import type { Cursor, DeviceId, ScopeKey, UserId } from '../ids.ts'
import * as limits from '../limits.ts'
import { count, type Infer, list, literal, nullable, object, text } from '../shape.ts'

/** The first message on every socket: who the device is, and what it has. */
export const hello = object({
  type: literal('hello'),
  version: count,
  /** The person whose store and outbox these are. The server refuses the greeting if it authenticated somebody else. */
  user: text<UserId>(limits.idLengthMax),
  device: text<DeviceId>(limits.idLengthMax),
  /** What the last welcome handed out; null on a device that was never welcomed. */
  nonce: nullable(text(limits.idLengthMax)),
  /** null: the device holds nothing and wants a first load. */
  cursor: nullable(text<Cursor>(limits.cursorLengthMax)),
  /** The tag of the roles it knows; null: none. */
  grants: nullable(text(limits.idLengthMax)),
  /** The mark of the last piece of a load that no checkpoint named yet; null: there is none. */
  mark: nullable(text(limits.cursorLengthMax)),
  /** Every mutation up to this number is known to be confirmed. */
  confirmed: count,
  /** Scopes whose eager rows the device holds at its cursor. */
  granted: list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax),
  /** Scopes whose on-demand rows it holds at its cursor or, without a cursor, wants; what the screen waits for first. */
  held: list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax),
})
export type Hello = Infer<typeof hello>
