// Everything impure that the server needs comes through here, so that tests and the simulation run the real code.
import type { UserId } from '@headwater/protocol'

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Runs `run` once after `afterMs`, never before the caller has returned. The answer cancels it. */
  timer(afterMs: number, run: () => void): () => void
}

export interface Chance {
  /** `length` random bytes, from a source fit for secrets. */
  bytes(length: number): Uint8Array
}

/** What may be bound to $1, $2 ... Statements cast in their text (`$1::bigint`, `$2::text::jsonb`): a driver guesses nothing. */
export type Parameter = string | number | boolean | null
/** Values as text, number, boolean or null. A statement casts everything else (`::text`) in its text. */
export type SqlRow = Readonly<Record<string, unknown>>

export type Query = (text: string, parameters: readonly Parameter[]) => Promise<readonly SqlRow[]>

export interface Statement {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

/**
 * A PostgreSQL failure is thrown as HeadwaterError with code `sql` and details
 * `{ sqlstate, constraint?, table?, column?, severity? }`; a lost connection as code `connection`, whatever the statement was doing.
 */
export interface Transaction {
  query(text: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]>
  /**
   * The first column of a result, as text, in pieces: for results that do not fit in memory as objects.
   * The next piece is read when `onRows` has settled; after false, none is.
   */
  stream(text: string, parameters: readonly Parameter[], onRows: OnRows): Promise<void>
  /** Statements of DDL, separated by semicolons, without parameters. They must not begin or end a transaction. */
  execute(script: string): Promise<void>
}

// biome-ignore lint/suspicious/noConfusingVoidType: an answer is only asked of who wants to stop
type Going = boolean | undefined | void
export type OnRows = (rows: readonly string[]) => Going | Promise<Going>

/**
 * `write`: REPEATABLE READ. `read`: REPEATABLE READ, READ ONLY: one snapshot for all of it. `define`: READ COMMITTED, for DDL that waits for a lock
 * and then has to see what was committed meanwhile.
 */
export type TransactionMode = 'write' | 'read' | 'define'

/** Where a database is, as far as one place can be told from another, and without what is secret. */
export interface Place {
  /** `postgres://localhost:5432/app`, or the real path of a directory. */
  readonly text: string
  /** Device and inode of a directory: it stays the same when it is renamed, and is another one in a copy. null: it is not a directory. */
  readonly node: string | null
}

/**
 * A PostgreSQL. Two implementations: `postgres` (a server, by URL) and `embedded` (PGlite, in this process).
 * Both run the suite in test/contracts/database.ts.
 */
export interface Database {
  readonly kind: 'postgres' | 'embedded'
  /** Where it is; null: in memory, gone with the process. */
  readonly place: Place | null
  /**
   * From now on every session is checked before anybody gets it, by statements of its own; a rejection rejects what asked for the session. Sessions of before are
   * used no more, but for those of tails, which check themselves. Called again, it checks all anew.
   */
  guard(check: (query: Query) => Promise<void>): void
  /** One statement in a transaction of its own. On `embedded` it waits for its turn. */
  query(text: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]>
  /** Statements of DDL, separated by semicolons, without parameters, in one transaction. */
  execute(script: string): Promise<void>
  /**
   * Commits when `run` resolves, rolls back when it rejects, and rejects with the same error. A failure of the commit itself is
   * thrown as `connection` when its outcome is unknown. Using the Database inside `run` on `embedded` is an error that says so.
   */
  transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T>
  /**
   * Statements in one REPEATABLE READ transaction, sent without waiting in between where the driver can.
   * The first failure undoes all of them and is thrown. Answers the rows of each.
   */
  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>
  /** A session of its own for reading the log: its statements run in order, and session-level locks are held by it. */
  openTail(): Promise<TailSession>
  close(): Promise<void>
}

export interface TailSession {
  /** False: a pooler is in between. Nobody is notified, and session-level locks must not be taken. */
  readonly isDirect: boolean
  /** Autocommit. Planned for its actual parameters each time (never a generic plan). */
  query(text: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]>
  /** One REPEATABLE READ, READ ONLY transaction. */
  read<T>(run: (transaction: Transaction) => Promise<T>): Promise<T>
  /** Runs for every NOTIFY on the channel, with its payload, and on `embedded` after every commit of this process. May run more often than there is news. */
  onWake(channel: string, run: (payload: string) => void): Promise<void>
  /** Runs once, when the session is lost; every later call rejects with `connection`. */
  onLost(run: (error: unknown) => void): void
  close(): Promise<void>
}

/** Who is behind a request, as the app's `authenticate` says. */
export interface Caller {
  /** null: nobody. */
  readonly user: UserId | null
  /** When their session ends by itself, in milliseconds since 1970; null: nobody has said. */
  readonly expiresAt: number | null
  /** What `Told` had counted when the app was asked. */
  readonly toldBefore: number
  /** Asks about the same request once more. Rejects where the app cannot say. */
  again(): Promise<Caller>
}

/** One device's connection, as a transport offers it. Transports know nothing of what the frames mean. */
export interface Connection {
  /** A text message, as text or in UTF-8: the same buffer may be sent to many. */
  send(frame: string | Buffer): void
  /** Bytes handed to `send` that have not left this process. */
  bufferedBytes(): number
  /** Sends what is buffered, then closes. */
  close(): void
  /** Closes, whatever is buffered. Does nothing more to one that is closed. */
  destroy(): void
}
export interface ConnectionEvents {
  onMessage(frame: string): void
  onClose(): void
}
