import { assert } from './error.ts'

/** Every limit of the wire, in one place. Bytes are counted in UTF-8, text in code points. */
export const limits = {
  /** One message from a device. A mutation that does not fit is refused on the device, before it is saved. */
  upBytesMax: 1_048_576,
  /** One message from a server. */
  downBytesMax: 16_777_216,
  /** One mutation: its name and arguments, encoded. */
  mutationBytesMax: 524_288,
  mutationsPerPushMax: 64,
  pushBytesMax: 786_432,
  /** Mutations a device sends without hearing of the first one. */
  mutationsInFlightMax: 256,
  jsonDepthMax: 32,
  scopesPerMessageMax: 20_000,
  idLengthMax: 200,
  nameLengthMax: 200,
  /** Two snapshots of a database with some thousand transactions in progress. */
  cursorLengthMax: 65_536,
  reasonLengthMax: 10_000,
  hintLengthMax: 2_000,
  /** A device that says nothing for this long is cut off; it says `ping` well before. */
  silenceMsMax: 45_000,
  pingEveryMs: 15_000,
  /** A socket that has not said hello by then is closed. */
  helloMsMax: 10_000,
} as const

/** Called once, when this is loaded; what a device loads leaves it out, as its answer is not used. */
/* @__NO_SIDE_EFFECTS__ */
function relate(): void {
  assert(limits.mutationBytesMax < limits.pushBytesMax, 'the largest mutation fits in a push')
  assert(limits.pushBytesMax < limits.upBytesMax, 'the largest push fits in a message')
  assert(limits.pingEveryMs * 2 < limits.silenceMsMax, 'one lost ping does not cut a device off')
}
relate()
