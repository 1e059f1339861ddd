// Every limit of the wire, in one place: each a constant, so that a bundle holds numbers in the place of names. Bytes are counted in
// UTF-8, text in code points.
import { assert } from './error.ts'

/** One message from a device: a greeting that names all of its scopes is the largest. */
export const upBytesMax = 2_097_152
/** One message from a server. */
export const downBytesMax = 16_777_216
/** One mutation: its name and arguments, encoded. */
export const mutationBytesMax = 524_288
export const mutationsPerPushMax = 64
export const pushBytesMax = 786_432
/** Mutations a device sends without hearing of the first one. */
export const mutationsInFlightMax = 256
export const jsonDepthMax = 32
export const scopesPerMessageMax = 20_000
export const columnsMax = 1_000
/** Of one person in one scope. */
export const rolesMax = 100
export const idLengthMax = 200
export const nameLengthMax = 200
/** Two snapshots of a database with some thousand transactions in progress. */
export const cursorLengthMax = 65_536
export const reasonLengthMax = 10_000
export const hintLengthMax = 2_000
/** A device that says nothing for this long is cut off; it says `ping` well before. A page in the background runs its timers once a minute. */
export const silenceMsMax = 90_000
export const pingEveryMs = 15_000
/** A pong is on the device by then, or the connection is dead. */
export const answerMsMax = 6_000
/** The same while a load is to come, of which a large piece may be on its way. */
export const loadingAnswerMsMax = 45_000
/** And the pong is behind what was said: so many characters in a millisecond, 80 kbit/s, is the slowest way up that is waited for. */
export const saidPerMs = 10
/** A device that said something and has heard nothing since says ping after this long. */
export const askAfterMs = 1_000
/** Between two attempts to connect, a random part of the first, half as much again with each up to the second; all of the second where only a person can help. */
export const backoffMsMin = 1_000
export const retrySlowlyMs = 30_000
/** A socket that has not said hello by then is closed. */
export const helloMsMax = 10_000

/** What a device says of itself in a scope: as JSON, in characters. */
export const presenceLengthMax = 1_024
/** In so many scopes at a time. */
export const presenceScopesMax = 20
/** Of those who are in a scope, so many are named; the others are counted. */
export const presenceToldMax = 100
/** What a device says of itself goes up this often at most, and what is heard of others comes down as often: the last value wins. */
export const presenceEveryMs = 50

/** Runs wherever this is loaded whole. A bundle for devices leaves it out with its words: it runs no limits but those that were run before. */
function relate(): void {
  assert(mutationBytesMax < pushBytesMax, 'the largest mutation fits in a push')
  assert(pushBytesMax < upBytesMax, 'the largest push fits in a message')
  assert(pingEveryMs * 2 < silenceMsMax, 'one lost ping does not cut a device off')
}
/* @__PURE__ */ relate()
