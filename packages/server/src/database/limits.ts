import { assert } from '@headwater/protocol'

/** Every limit of the databases, in one place. */
export const limits = {
  /** Connections of the pool; the tail has two more of its own. */
  sessionsMax: 20,
  /** An embedded database's app that leaves its transaction alone for so long loses it. */
  turnIdleMs: 30_000,
  /** Turns that may have written between two looks at what an embedded database needs. */
  upkeepWrites: 64,
  /** WAL since the last checkpoint of an embedded database: what a recovery has to read. */
  walBytesMax: 67_108_864,
  /** Rows that were changed or deleted, besides a fifth of a table, before an embedded database's table is vacuumed. */
  rowsGoneMin: 1_000,
  /** Callers that wait for a connection or a turn, of one kind. Beyond it the caller is told `overloaded` instead of waiting for ever. */
  waitingMax: 10_000,
  connectMs: 10_000,
  /** How often a silent connection to a server is checked. */
  keepAliveMs: 60_000,
  /** Rows of the first piece of a stream, and of any; and about how many bytes of text a piece has. */
  streamRowsFirst: 100,
  streamRowsMax: 1_000,
  streamBytes: 524_288,
  /** Prepared statements that one session keeps. */
  preparedMax: 500,
  /** How often it is looked whether a native database's server is alive. */
  nativeWatchMs: 100,
  nativeStartsMax: 20,
  /** Time for a native database's server to stop in order. */
  nativeStopMs: 60_000,
  gatewaySessionsMax: 16,
  /** All that a gateway's client sends before it wants an answer. */
  gatewayBytesMax: 67_108_864,
  /** The data of one COPY FROM STDIN, which is handed over in one piece. */
  gatewayCopyBytesMax: 268_435_456,
  /** Statements that a gateway's client keeps prepared. */
  gatewayStatementsMax: 10_000,
  /** The first message of a gateway's client. */
  gatewayStartupBytesMax: 10_000,
  /** A gateway's client that leaves its transaction alone for so long loses it. */
  gatewayIdleMs: 10_000,
  /** A gateway's client that has not introduced itself by then is cut off. */
  gatewayStartupMs: 10_000,
  /** Time for a gateway's client to take its last message. */
  gatewayFarewellMs: 1_000,
} as const

assert(limits.gatewayStartupBytesMax < limits.gatewayBytesMax, 'the first message of a client is a small one')
assert(limits.gatewayFarewellMs < limits.gatewayIdleMs, 'closing a gateway takes less than a transaction may be left alone')
