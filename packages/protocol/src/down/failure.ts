import * as limits from '../limits.ts'
import { type Infer, literal, object, text } from '../shape.ts'

/**
 * Why the server closes the socket; the last message on it.
 *
 * - `malformed`, `too-large`: a message broke the protocol. The device resumes, with backoff.
 * - `version`: the server does not speak this version. The device waits for a newer app.
 * - `unauthenticated`, `wrong-user`: the session is not this person's. The device waits for a sign-in; its outbox stays.
 * - `session-ended`: the session with the app that the connection was begun with is over. The device resumes, with what credential it has by now; and then hears `unauthenticated`, if it has none.
 * - `held`: the database is not the one it was, and serves nobody until its keeper says what it is. The device resumes, slowly.
 * - `forked`: the device's store was copied or the server lost its row. The device takes a new id and greets again.
 * - `unavailable`, `draining`, `internal`: the server cannot, for now. The device resumes, with backoff.
 */
export const failureCodes = [
  'malformed',
  'too-large',
  'version',
  'unauthenticated',
  'wrong-user',
  'session-ended',
  'forked',
  'held',
  'unavailable',
  'draining',
  'internal',
] as const
export type FailureCode = (typeof failureCodes)[number]

export const failure = object({
  type: literal('failure'),
  /** A device takes one that it does not know as it takes `internal`. */
  code: text<FailureCode>(limits.nameLengthMax),
  message: text(limits.reasonLengthMax),
  hint: text(limits.hintLengthMax),
})
export type Failure = Infer<typeof failure>
