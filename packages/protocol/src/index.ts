export { rowSum } from './checksum.ts'
export { decodeAside, decodeDown, decodeUp, encode, protocolVersion } from './codec.ts'
export { type Checkpoint, type Checksum, checkpoint, type Outcome, type Part, type Roles, type TableChanges } from './down/checkpoint.ts'
export type { Denied } from './down/denied.ts'
export { type Down, downShapes } from './down/down.ts'
export { type Failure, type FailureCode, failureCodes } from './down/failure.ts'
export type { Load } from './down/load.ts'
export type { Pong } from './down/pong.ts'
export { type Aside, asideShapes, type Gathered, type Greeted } from './down/presence.ts'
export type { Welcome } from './down/welcome.ts'
export { asError, assert, type ErrorDetails, HeadwaterError, unreachable } from './error.ts'
export {
  type Cursor,
  cursor,
  type DatabaseId,
  type DeviceId,
  databaseId,
  deviceId,
  type HistoryId,
  historyId,
  type MutationId,
  mutationId,
  type ScopeKey,
  scopeKey,
  scopeKind,
  type UserId,
  userId,
} from './ids.ts'
export { type Json, unstorable, unstorableText } from './json.ts'
export * as limits from './limits.ts'
export { type Mutation, mutation, mutationFields } from './mutation.ts'
export { check, count, flag, type Infer, json, list, map, nullable, object, type Shape, text } from './shape.ts'
export type { Hello } from './up/hello.ts'
export type { Hold } from './up/hold.ts'
export type { Ping } from './up/ping.ts'
export type { Presence } from './up/presence.ts'
export type { Push } from './up/push.ts'
export type { Release } from './up/release.ts'
export type { Repair } from './up/repair.ts'
export { type Up, upShapes } from './up/up.ts'
export type { Verify } from './up/verify.ts'
