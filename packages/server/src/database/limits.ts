import { assert } from '@headwater/protocol'

/** Every limit of the databases, in one place. */
export const limits = {
  /** Connections of the pool; the tail has two more of its own. */
  sessionsMax: 10,
  /** Callers that wait for a connection or a turn. Beyond it the caller is told `overloaded` instead of waiting for ever. */
  waitingMax: 10_000,
  connectMs: 10_000,
  /** Statements one session of a server sends without hearing of the first. */
  pipelineMax: 10_000,
  /** Rows of one piece of a stream. */
  streamRows: 500,
  /** Prepared statements that one session keeps. */
  preparedMax: 500,
  gatewaySessionsMax: 16,
  /** One message of a gateway's client, and all that it sends before it wants an answer. */
  gatewayBytesMax: 67_108_864,
  /** A gateway's client that leaves its transaction alone for so long loses it. */
  gatewayIdleMs: 10_000,
  /** A gateway's client that has not introduced itself by then is cut off. */
  gatewayStartupMs: 10_000,
  /** Answers that a gateway's client has not taken. */
  gatewayUnreadBytesMax: 67_108_864,
} as const

assert(limits.streamRows < limits.waitingMax, 'a piece is small')
