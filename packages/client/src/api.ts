// The types of what an app sees: the object that createClient makes. No code.
import type { HeadwaterError, Json, MutationId, ScopeKey } from '@headwater/protocol'
import type { Access, ArgsOf, Can, Insert, Key, Mutators, Query, QueryDefinition, Row, Schema, TableDefinition, TableName, Update } from '@headwater/schema'
import type { DiskRecord, Ports } from './ports.ts'

/** `loading`: nothing is known yet. `partial`: rows of an interrupted or running load, or of a scope that is not level. `complete`: all there is. */
export type ResultState = 'loading' | 'partial' | 'complete'

/** A result that does not change in place: while nothing changed, it is the same object with the same rows. */
export interface Result<R> {
  readonly rows: readonly R[]
  readonly state: ResultState
}

/** A query whose result follows the store. */
export interface LiveQuery<R> {
  result(): Result<R>
  /** What was painted first, for as long as the page may still be hydrating: React's server snapshot. Absent: `result`. */
  readonly first?: () => Result<R>
  /** Runs after each batch of changes that altered the result, at most once per batch. The answer unsubscribes; without subscribers the query costs nothing. */
  subscribe(run: () => void): () => void
}

/** How rows are got on a device: at once. */
export interface Asking<R> {
  all(): readonly R[]
  first(): R | undefined
  /** The same for the same question: equal definitions share one live query. */
  live(): LiveQuery<R>
}

/** What `with` takes: related rows by what they will be called. `Column` is the one of the row itself that `one` follows. */
export interface Related<Out, Column extends string = never> {
  readonly query: QueryDefinition
  readonly column: string
  readonly isMany: boolean
  /** Type only, never set. */
  readonly infer?: { readonly out: Out; readonly column: Column }
}

export type AggregateKind = 'count' | 'sum' | 'min' | 'max' | 'avg'
/** What `aggregate` takes, by what it will be called. */
export interface Aggregate<Kind extends AggregateKind = AggregateKind, Column extends string = string> {
  readonly kind: Kind
  /** null: of the rows themselves. */
  readonly column: Column | null
}

/** What can be made of rows. Both come from functions that are imported, `many` and `one`, `count`, `sum`, `min`, `max` and `avg`, and cost a page nothing that uses none. */
export interface Shaping<R> extends Asking<R> {
  /**
   * Each row with related ones, one level of them. The result is `complete` when all tables in it are, and `partial` while only the rows themselves are.
   * A related row counts for nothing in `where`, `orderBy` and `limit`.
   *
   *     client.query.projects.with({ messages: many(client.query.messages.orderBy('sequence').limit(3), 'projectId') })
   */
  with<const P extends Readonly<Record<string, Related<unknown, keyof R & string>>>>(related: P): Query<R, Asking<WithRelated<R, P>>>
  /**
   * What rows come to, as one result, or as one per group of rows with equal values in `by`, in the order of these. Null is a value of a group. `orderBy` can
   * turn the order of groups, `limit` is of groups. Throws `query` where a column has no such aggregate, or no groups (json, numeric, float, bytes, arrays).
   *
   *     client.query.items.where({ ownerId }).aggregate({ open: count(), budget: sum('budget') }, 'status')
   */
  aggregate<const P extends Readonly<Record<string, Aggregate<AggregateKind, keyof R & string>>>, const B extends keyof R & string = never>(
    aggregates: P,
    ...by: readonly B[]
  ): Query<R, Asking<Aggregated<R, P, B>>>
}
export type DeviceQuery<R> = Query<R, Shaping<R>>

type Flat<T> = { [K in keyof T]: T[K] } & {}
export type WithRelated<R, P> = Flat<R & { readonly [K in keyof P]: P[K] extends { readonly infer?: { readonly out: infer Out } } ? Out : never }>
export type Aggregated<R, P, B extends keyof R> = Flat<Pick<R, B> & { readonly [K in keyof P]: ValueOf<R, P[K]> }>
type ValueOf<R, P> =
  P extends Aggregate<infer Kind, infer C>
    ? Kind extends 'count'
      ? number
      : Kind extends 'avg'
        ? number | null
        : C extends keyof R
          ? (Kind extends 'sum' ? Total<NonNullable<R[C]>> : NonNullable<R[C]>) | null
          : never
    : never
type Total<T> = T extends number ? number : T extends bigint ? bigint : string

export type Outcome = { readonly type: 'applied' } | { readonly type: 'refused'; readonly code: string; readonly reason: string }

/**
 * `made`: shown, not yet on this device's disk. `saved`: survives the death of tab and browser. `sent`: on its way to the
 * database. `confirmed`: final, either way. `refused` without ever being saved is final as well: see `saved`.
 */
export type MutationState = 'made' | 'saved' | 'sent' | 'confirmed'

/** One mutation. Nothing needs to be awaited: it is shown, saved, sent and confirmed by itself. */
export interface PendingMutation {
  readonly id: MutationId
  /** `projects.insert`, or the name of a mutator. */
  readonly name: string
  readonly args: Json
  /** When it was made, by this device's clock. */
  readonly at: string
  state(): MutationState
  /** Resolves when it is on this device's disk. Rejects if it was refused on the device (then nothing is queued) or could not be saved. */
  readonly saved: Promise<void>
  /** Resolves, never rejects, when the database has decided and the store holds what it decided. */
  readonly confirmed: Promise<Outcome>
  /**
   * Gives it up, and takes back what it shows. What was not sent yet is gone at once: it is confirmed as refused with the code `void`. What may
   * have been sent is decided by the database: refused with `void`, or applied if that was too late. Resolves when it is on the disk.
   */
  discard(): Promise<void>
}

/** A mutation that was refused for good, kept for the person until they decide. */
export interface SetAside {
  readonly id: MutationId
  readonly name: string
  readonly args: Json
  /** What the server's refusal says; `dependency` for what was not sent, because it builds on what was refused; `lost` for what was confirmed, and the database does not have any more. */
  readonly code: string
  readonly reason: string
  readonly at: string
  /**
   * The refused mutation that this one builds on: one made before it that wrote a row which this one wrote too, or the one that such a one builds on.
   * null: none, as far as this device knows.
   */
  readonly after: MutationId | null
}

/** What a mutation that was set aside is tried again with, where not with its own. */
export type Edited = Partial<Pick<SetAside, 'name' | 'args'>>

/** What a mutation that an older build of the app made is now: another name, other arguments, or both; null where it is as this build makes it. */
export type Upgrade = (mutation: Pick<SetAside, 'name' | 'args' | 'at'>) => Edited | null

export interface Status {
  /** Connected and level with the server, as far as is known. */
  readonly online: boolean
  /**
   * `starting`: reading the disk. `connecting`: trying, or waiting to try again. `loading`: a first load is under way.
   * `live`: level. `stopped`: closed, or waiting for something no retry can bring: see `problem`.
   */
  readonly phase: 'starting' | 'connecting' | 'loading' | 'live' | 'stopped'
  /** While `phase` is `loading`: how many rows are here, and about how many there will be; `total` is null until that is known. */
  readonly loading: { readonly rows: number; readonly total: number | null } | null
  /** Mutations that are not confirmed. */
  readonly pending: number
  /** Mutations that were refused and wait for a decision. */
  readonly setAside: number
  /** Why it is not as it should be, in words for a person, with a code; null when all is well. */
  readonly problem: { readonly code: string; readonly message: string; readonly hint: string } | null
}

/** A value that can be read at once and followed. The same object while nothing changed. */
export interface LiveValue<T> {
  get(): T
  subscribe(run: () => void): () => void
}

type AnyRow = Readonly<Record<string, unknown>>

/** The confirmed rows of a table, by key: a Map, or what `packedRows()` makes. */
export interface Rows extends Pick<Map<string, AnyRow>, 'get' | 'has' | 'delete' | 'keys' | 'size'> {
  set(key: string, row: AnyRow): unknown
  /** With a query, `run` may get no more of a row than the query looks at. With null it gets all of it, and keeps nothing. */
  forEach(run: (row: AnyRow, key: string) => void, asked?: QueryDefinition | null): void
  /** All rows as they are now, some hundred at a time, each with no more of it than the queries look at; undefined for one that looks at all of it. With null it is all of it, and nothing is kept. */
  pieces?(asked: readonly (QueryDefinition | undefined)[] | null): Iterable<readonly AnyRow[]>
}

/** Where confirmed rows lie: `packedRows()`. */
export interface RowsOption {
  create(table: TableDefinition, report: (error: unknown) => void): Rows
  /** Takes the place of the engine's store. `pending`: how many mutations are not confirmed. */
  wrap<S>(store: S, pending: () => number, report: (error: unknown) => void): S
  /** Hears a record of the disk. False: it is not one of these. */
  hear(record: DiskRecord, tables: ReadonlyMap<string, { readonly rows: Rows }>): boolean
}

export type PaintedResult = Result<AnyRow>

/** What stands between an app and its engine until the store is read: `lastScreen()`. */
export type FirstPaint = <E extends PaintedEngine>(
  engine: E,
  options: { readonly schema: Schema; readonly url: string; readonly user: string; readonly ports: Pick<Ports, 'clock' | 'note'> },
) => E

/** What a first paint needs of an engine, and what it stands in front of. */
export interface PaintedEngine {
  readonly store: {
    live(definition: QueryDefinition): LiveQuery<AnyRow>
    cursor(): string | null
    scopes(): { readonly granted: ReadonlySet<ScopeKey>; readonly held: ReadonlySet<ScopeKey>; readonly tag: string | null; readonly more: boolean }
  }
  readonly outbox: { identity(): { readonly database: string | null } }
  readonly status: LiveValue<Status>
  readonly pending: LiveValue<readonly PendingMutation[]>
  readonly ready: Promise<void>
  settled(): Promise<void>
  close(): Promise<void>
  wipe(): Promise<void>
}

/** What an eviction looks at: confirmed rows by table, and the on-demand scopes whose rows are here. */
export interface HeldRows {
  readonly tables: ReadonlyMap<string, { readonly definition: TableDefinition; readonly rows: Rows }>
  scopes(): { readonly held: ReadonlySet<ScopeKey> }
}

/** Decides which on-demand scopes stay that nobody uses, and remembers which are kept: `leastRecentlyUsed()`. */
export type Eviction = (deps: {
  readonly store: HeldRows
  /** When scopes were last used on this device, in milliseconds since 1970. */
  readonly usedAt: Map<ScopeKey, number>
  readonly ports: Pick<Ports, 'clock'>
  /** null: this device has no disk that works, or was not asked for it yet. */
  readonly journal: () => { cache(record: DiskRecord, weight: number): Promise<void> } | null
  readonly report: (error: unknown) => void
  /** To be called when there is more that is wanted. */
  readonly onWanted: () => void
  readonly readyOf: (scope: ScopeKey) => Promise<void>
}) => {
  readonly api: Pick<ScopeUse, 'preload' | 'keep' | 'drop'>
  /** Held, used or not. */
  wanted(): Iterable<ScopeKey>
  /** They were used just now. */
  used(scopes: readonly ScopeKey[]): void
  /** Which of the idle scopes go. Asked every few seconds while connected. */
  choose(idle: readonly ScopeKey[], nowMs: number): readonly ScopeKey[]
  /** Hears all records of the disk, once. */
  restore(records: readonly DiskRecord[]): void
  /** Another tab has written a record, which may be one of its. */
  hear(record: DiskRecord): void
  /** All that is known, for a disk that is written anew. */
  records(): readonly DiskRecord[]
}

/** The rows of a scope's on-demand tables, held while somebody uses them. */
export interface ScopeHandle {
  /** `loading` until its rows are here, `denied` if it is not granted to this person. */
  state(): 'loading' | 'ready' | 'denied'
  subscribe(run: () => void): () => void
  /** Resolves when its rows are here; rejects with `denied`. Waits for as long as the device is offline. */
  readonly ready: Promise<void>
  release(): void
}

export interface TableMutations<T> {
  insert(row: Insert<T>): PendingMutation
  /** With `expect`, refused with `conflict` unless the row in the database has these values. */
  update(row: Update<T>, options?: { readonly expect?: Partial<Row<T>> }): PendingMutation
  delete(key: Key<T>): PendingMutation
}

export type Mutate<S extends Schema, M extends Mutators<S>> = { readonly [T in TableName<S>]: TableMutations<S['tables'][T]> } & {
  readonly [N in keyof M & string]: (args: ArgsOf<M[N]>) => PendingMutation
}

export type Ask<S extends Schema> = { readonly [T in TableName<S>]: DeviceQuery<Row<S['tables'][T]>> }

/** Scopes as an app uses them. */
export interface ScopeUse {
  /** Holds the on-demand rows of a scope until the handle is released. */
  scope(kind: string, key: string): ScopeHandle
  /** What is known of a scope, without using it. */
  scopeState(kind: string, key: string): ReturnType<ScopeHandle['state']>
  /**
   * Loads on-demand rows ahead, behind what anybody waits for, a thousand scopes at a time. They stay as if they had been used then: for a minute
   * at least. Resolves, never rejects, when each of them is here or denied; waits for as long as the device is offline. This, `keep` and `drop`
   * throw `no-eviction` without `createClient({ eviction })`.
   */
  preload(kind: string, keys: readonly string[]): Promise<void>
  /** Holds the scope from now on, used or not, over restarts of the app as well, until `drop`. Loaded behind what anybody waits for. */
  keep(kind: string, key: string): void
  /** Ends `keep`: the rows go as if the scope had been used just now. */
  drop(kind: string, key: string): void
}

export interface Client<S extends Schema, M extends Mutators<S>> extends ScopeUse {
  readonly query: Ask<S>
  readonly mutate: Mutate<S, M>
  /** With `access`: what the rules allow, by what is here. False for what is not known; the server decides anew. */
  readonly can?: Can<S> | undefined
  readonly status: LiveValue<Status>
  /** What waits for the database, in the order it was made, also before this start of the app: to be shown, awaited or discarded. Another list when one of them is in another state. */
  readonly pending: LiveValue<readonly PendingMutation[]>
  readonly setAside: LiveValue<readonly SetAside[]> & {
    list(): readonly SetAside[]
    /**
     * Tries again, as a new mutation at the end of the outbox, with its arguments or with others in the same form, or as another mutator where its
     * own is gone. What builds on it follows behind it, in the order it was made. Rejects if it is refused on the device: then all stay set aside as
     * they were. One that follows and is refused on the device stays set aside.
     */
    retry(id: MutationId, edited?: Edited): Promise<PendingMutation>
    /** Gives it up. What builds on it stays listed. */
    discard(id: MutationId): Promise<void>
    /** All that is set aside, as JSON: an array of `SetAside` in the order they were made. To be read, and sent to whoever helps. */
    export(): string
  }
  /**
   * Compares what this device holds with the database, scope by scope, by checksums. Resolves with the scopes that did not add up (`project:99`):
   * they are loaded again by themselves. The server does the same in rotation, without being asked. Waits for as long as the device is offline.
   * What compares is a chunk that is fetched for the first call: rejects with `not-fetched` where it cannot be.
   */
  verify(): Promise<readonly string[]>
  /**
   * True while what is shown of a row is this device's own: columns declared `.provisional()` (serials, times of the server) then have a guess, and
   * get the database's value with the confirmation. Throws `schema` for a table that there is not.
   */
  isProvisional<T extends TableName<S>>(table: T, row: Key<S['tables'][T]>): boolean
  /** Resolves when the store has been read from the disk: from then on queries answer with what the device holds. */
  readonly ready: Promise<void>
  /** Errors of the engine that no call of the app can carry, such as a full disk. */
  onError(run: (error: HeadwaterError) => void): () => void
  /** A new uuid that sorts by time of making. */
  id(): string
  /** Closes the socket and the disk, after what was made is saved. */
  close(): Promise<void>
  /** Closes, then removes everything of this person from this device, the outbox included. */
  wipe(): Promise<void>
}

export interface ClientOptions<S extends Schema, M extends Mutators<S>> {
  readonly schema: S
  /** The rules, if the app asks `can`: they and what evaluates them are loaded only then. */
  readonly access?: Access<S>
  readonly mutators?: M
  /** Where the server is: `/`, or `https://example.org`. */
  readonly url: string
  /** The person whose store this is, as the server's `authenticate` names them. */
  readonly user: string
  /**
   * What goes of on-demand scopes that nobody uses: `leastRecentlyUsed()`, and without it everything, a minute after its last use. Never
   * asked for what is in use, kept or written by a pending mutation, and nothing goes while the device is offline.
   */
  readonly eviction?: Eviction
  /** Where rows lie in memory, for large stores: `packedRows()`. Without it as objects. A store that lies packed on the disk is loaded again by an app without it. */
  readonly rows?: RowsOption
  /**
   * For an update of the app that renames mutators or changes their arguments. Asked at a start, before anything is sent, of each mutation that waits and was
   * never sent, and of what is set aside when it is tried again; those of this build are among them. What may have been sent keeps the form that it was sent in.
   * One for which it throws or gives what this build cannot make (`unknown-mutator`, `invalid`, `too-large`, in `onError`) stays as it was.
   */
  readonly upgrade?: Upgrade
  /** What is shown before the disk is read: `lastScreen()`. Without it, queries have no rows until then. */
  readonly firstPaint?: FirstPaint
  /** For tests, services and the simulation: browsers need none of it. */
  readonly ports?: Partial<Ports>
}
