// The other side of the wire, for tests of the device: a server in memory, with one table space, grants that a test sets, and
// every change in one numbered log. It speaks packages/protocol and checks what a device owes.
import {
  cursor,
  databaseId,
  decodeUp,
  encode,
  type FailureCode,
  HeadwaterError,
  type Hello,
  historyId,
  type Json,
  type Mutation,
  type Outcome,
  type ScopeKey,
  scopeKey,
  type TableChanges,
  type Welcome,
} from '@headwater/protocol'
import { encodeValue, type Schema, tableOf } from '@headwater/schema'
import type { Accepted, AcceptedEvents } from './world.ts'

type Encoded = Readonly<Record<string, Json>>
interface Write {
  readonly table: string
  readonly key: string
  readonly before: Encoded | undefined
  readonly after: Encoded | undefined
}
interface Commit {
  readonly writes: readonly Write[]
  readonly cleared: readonly string[]
}
interface Device {
  last: number
  readonly outcomes: Map<number, { readonly id: string; readonly outcome: Outcome; readonly at: number }>
}
interface Session {
  readonly device: Device
  readonly wire: Accepted
  sent: number
  granted: Set<ScopeKey>
  held: Set<ScopeKey>
  loads: number
}

export interface Transaction {
  get(table: string, key: string): Encoded | undefined
  all(table: string): readonly Encoded[]
  /** Encoded values; undefined removes. */
  set(table: string, key: string, row: Encoded | undefined): void
}
export type Handler = (tx: Transaction, args: Json, mutation: Mutation) => void

// Assigned by tests. Without presence it is as a server that has none.
const noFailure = null as FailureCode | null
const noPresence = null as string | null

export interface PeerOptions {
  readonly schema: Schema
  readonly user?: string
  readonly handlers?: Readonly<Record<string, Handler>>
  /** Rows in a piece of a load. */
  readonly pieceMax?: number
}

export function createPeer({ schema, user = 'ada', handlers = {}, pieceMax = 50 }: PeerOptions) {
  const tables = new Map<string, Map<string, Encoded>>(Object.keys(schema.definitions).map((name) => [name, new Map()]))
  const commits: Commit[] = []
  const devices = new Map<string, Device>()
  const uuids = new Map<string, Outcome>()
  const received: Mutation[] = []
  const sessions = new Set<Session>()
  const options = {
    database: 'db-1',
    history: 'h-1',
    offer: null as boolean | null,
    failure: noFailure,
    columns: (_: string, columns: readonly string[]) => columns,
    refusePushes: false,
    refuseAll: '',
    presence: noPresence,
  }
  let granted = new Set<ScopeKey>([scopeKey('user', user)])
  let nonces = 0

  const columnsOf = (table: string) => options.columns(table, Object.keys(tableOf(schema, table).columns))
  const tupleOf = (table: string, row: Encoded) => columnsOf(table).map((column) => row[column] ?? null)
  const { keyOf, isFor } = createKeys(schema)

  function transact(run: (tx: Transaction) => void): void {
    const draft = new Map<string, Map<string, Encoded | undefined>>()
    const get = (table: string, key: string) => (draft.get(table)?.has(key) ? draft.get(table)?.get(key) : tables.get(table)?.get(key))
    run({
      get,
      all: (table) =>
        [...new Set([...(tables.get(table)?.keys() ?? []), ...(draft.get(table)?.keys() ?? [])])]
          .map((key) => get(table, key))
          .filter((row) => row !== undefined),
      set: (table, key, row) => void (draft.get(table) ?? draft.set(table, new Map()).get(table))?.set(key, row),
    })
    const writes = [...draft].flatMap(([table, rows]) => [...rows].map(([key, after]) => ({ table, key, before: tables.get(table)?.get(key), after })))
    commit(writes, [])
  }

  function commit(writes: readonly Write[], cleared: readonly string[]): void {
    for (const { table, key, after } of writes) {
      if (after) tables.get(table)?.set(key, after)
      else tables.get(table)?.delete(key)
    }
    commits.push({ writes, cleared })
  }

  function carryOut(tx: Transaction, mutation: Mutation): void {
    if (options.refuseAll) throw new HeadwaterError('refused', 'refused', '', { code: options.refuseAll })
    if (mutation.name === 'void') throw new HeadwaterError('refused', 'discarded', '', { code: 'void' })
    const [table = '', verb] = mutation.name.split('.')
    if (verb === undefined) {
      const handler = handlers[mutation.name]
      if (!handler) throw new HeadwaterError('refused', 'no such mutator', '', { code: 'unknown-mutator' })
      return handler(tx, mutation.args, mutation)
    }
    // What a device sends of a built-in.
    const { row, expect } = mutation.args as unknown as { row: Encoded; expect?: Encoded }
    const key = keyOf(table, row)
    const before = tx.get(table, key)
    if (verb === 'delete') return before && tx.set(table, key, undefined)
    if (verb === 'insert' && before) throw new HeadwaterError('refused', 'exists', '', { code: 'unique' })
    if (verb === 'update' && !before) throw new HeadwaterError('refused', 'no such row', '', { code: 'absent' })
    for (const column in expect)
      if (JSON.stringify(before?.[column]) !== JSON.stringify(expect[column])) throw new HeadwaterError('refused', 'changed', '', { code: 'conflict' })
    tx.set(table, key, { ...before, ...row })
  }

  function mutate(device: Device, mutation: Mutation): void {
    if (mutation.number <= device.last) return
    if (mutation.number !== device.last + 1) throw new Error(`number ${mutation.number} after ${device.last}`)
    received.push(mutation)
    device.last = mutation.number
    const known = uuids.get(mutation.id)
    // What was decided before is in the batch that says so again.
    if (known) commit([], [])
    const outcome = known ?? decide(mutation)
    uuids.set(mutation.id, outcome)
    device.outcomes.set(mutation.number, { id: mutation.id, outcome: { ...outcome, number: mutation.number }, at: commits.length })
  }

  function decide(mutation: Mutation): Outcome {
    try {
      transact((tx) => carryOut(tx, mutation))
      return { number: mutation.number, type: 'applied', code: null, reason: null }
    } catch (error) {
      if (!(error instanceof HeadwaterError)) throw error
      commit([], [])
      return { number: mutation.number, type: 'refused', code: String(error.details.code), reason: error.message }
    }
  }

  function load(session: Session, scopes: readonly ScopeKey[], isEager: boolean): readonly number[] {
    const only = { granted: new Set(isEager ? scopes : []), held: new Set(isEager ? [] : scopes) }
    const number = session.loads++
    for (const [table, rows] of tables) {
      const mine = [...rows.values()].filter((row) => isFor(table, row, only)).map((row) => tupleOf(table, row))
      for (let at = 0; at < mine.length || at === 0; at += pieceMax)
        session.wire.send(encode({ type: 'load', load: number, table, columns: null, rows: mine.slice(at, at + pieceMax), mark: null, total: null }))
    }
    return [number]
  }

  function tail(session: Session, join: { granted?: readonly ScopeKey[]; held?: readonly ScopeKey[]; replace?: boolean } = {}): void {
    const since = commits.slice(session.sent)
    const grantsLeft = [...session.granted].filter((scope) => !granted.has(scope))
    const heldLeft = [...session.held].filter((scope) => !mayHold(scope))
    const newGrants = [...new Set([...(join.granted ?? []), ...[...granted].filter((scope) => !session.granted.has(scope))])]
    const newHeld = (join.held ?? []).filter((scope) => !session.held.has(scope))
    const outcomes = [...session.device.outcomes.values()].filter(({ at }) => at > session.sent || join.granted !== undefined)
    if (!since.length && !grantsLeft.length && !heldLeft.length && !newGrants.length && !newHeld.length && !join.replace && join.granted === undefined) return
    for (const scope of grantsLeft) session.granted.delete(scope)
    for (const scope of heldLeft) session.held.delete(scope)
    const loads = [...(newGrants.length ? load(session, newGrants, true) : []), ...(newHeld.length ? load(session, newHeld, false) : [])]
    const changes = new Map<string, TableChanges>()
    if (!join.replace) for (const [name, change] of netChanges(schema, tupleOf, session, since)) changes.set(name, change)
    for (const scope of newGrants) session.granted.add(scope)
    for (const scope of newHeld) session.held.add(scope)
    session.sent = commits.length
    session.wire.send(
      encode({
        type: 'checkpoint',
        cursor: cursor(`${options.history}:${commits.length}`),
        replace: join.replace ?? false,
        loads,
        left: { granted: grantsLeft, held: heldLeft },
        joined: { granted: newGrants, held: newHeld },
        tables: changes,
        grants: null,
        more: null,
        checks: null,
        outcomes: outcomes.map(({ outcome }) => outcome).filter(({ number }) => number > (confirmedOf.get(session) ?? 0)),
      }),
    )
  }
  const confirmedOf = new Map<Session, number>()

  /** On-demand scopes may be held by whoever is granted a scope of that name, which the tests arrange with `grant`. */
  const mayHold = (scope: ScopeKey) => granted.has(scope)

  function tailAll(): void {
    for (const session of sessions) tail(session)
  }

  function greet(wire: Accepted, hello: Hello): Session | null {
    const code = options.failure ?? (hello.user !== user ? 'wrong-user' : null)
    if (code) return fail(wire, code)
    const device = devices.get(hello.device) ?? { last: 0, outcomes: new Map() }
    devices.set(hello.device, device)
    const [history, seq] = (hello.cursor ?? '').split(':')
    const isResumed = history === options.history && Number(seq) <= commits.length
    const session: Session = {
      device,
      wire,
      sent: isResumed ? Number(seq) : commits.length,
      granted: new Set(isResumed ? hello.granted : []),
      held: new Set(isResumed ? hello.held : []),
      loads: 0,
    }
    confirmedOf.set(session, hello.confirmed)
    const welcome: Welcome = {
      type: 'welcome',
      version: 1,
      database: databaseId(options.database),
      history: historyId(options.history),
      nonce: `n${++nonces}`,
      resumed: isResumed,
      reason: isResumed ? '' : 'new',
      continued: null,
      offer: hello.cursor !== null && history !== options.history ? options.offer : null,
      last: device.last,
      columns: new Map([...tables.keys()].map((name) => [name, columnsOf(name)])),
    }
    wire.send(encode({ ...welcome, ...(options.presence !== null && { presence: options.presence }) }))
    tail(session, isResumed ? { granted: [] } : { granted: [...granted], held: hello.held.filter(mayHold), replace: true })
    sessions.add(session)
    return session
  }

  function accept(wire: Accepted): AcceptedEvents {
    let session: Session | null = null
    return {
      onClose: () => {
        if (session) sessions.delete(session)
      },
      onMessage: (frame) => {
        const message = decodeUp(frame)
        if (message.type === 'hello') {
          session = greet(wire, message)
          return
        }
        if (session === null) return
        if (message.type === 'ping') wire.send(encode({ type: 'pong' }))
        if (message.type === 'release') for (const scope of message.scopes) session.held.delete(scope)
        if (message.type === 'hold') {
          const denied = message.scopes.filter((scope) => !mayHold(scope))
          if (denied.length > 0) wire.send(encode({ type: 'denied', scopes: denied }))
          tail(session, { held: message.scopes.filter(mayHold) })
        }
        if (message.type === 'push' && !options.refusePushes) {
          for (const mutation of message.mutations) mutate(session.device, mutation)
          tailAll()
        }
      },
    }
  }

  return {
    accept,
    options,
    lose: (kept: number, offer: boolean) => lose({ commits, tables, devices, uuids, commit, options }, kept, offer),
    commits: () => commits.length,
    tables,
    received,
    devices,
    sessions,
    /** Writes rows in one transaction, as psql would. */
    put: (table: string, ...rows: readonly Readonly<Record<string, unknown>>[]) => {
      transact((tx) => {
        for (const row of rows) {
          const encoded = encodeRow(schema, table, row)
          tx.set(table, keyOf(table, encoded), encoded)
        }
      })
      tailAll()
    },
    remove: (table: string, ...keys: readonly Readonly<Record<string, unknown>>[]) => {
      transact((tx) => {
        for (const key of keys) tx.set(table, JSON.stringify(tableOf(schema, table).key.map((column) => key[column])), undefined)
      })
      tailAll()
    },
    truncate: (table: string) => {
      const rows = tables.get(table) ?? new Map()
      commit(
        [...rows].map(([key, before]) => ({ table, key, before, after: undefined })),
        [table],
      )
      tailAll()
    },
    grant: (scopes: readonly ScopeKey[]) => {
      granted = new Set(scopes)
      tailAll()
    },
    /** Sends what waited. */
    tailAll,
    rows: (table: string) => [...(tables.get(table)?.values() ?? [])],
  }
}

function fail(wire: Accepted, code: FailureCode): null {
  wire.send(encode({ type: 'failure', code, message: `refused: ${code}`, hint: '' }))
  wire.close()
  return null
}

interface Kept {
  readonly commits: Commit[]
  readonly tables: ReadonlyMap<string, Map<string, Encoded>>
  readonly devices: ReadonlyMap<string, Device>
  readonly uuids: Map<string, Outcome>
  readonly commit: (writes: readonly Write[], cleared: readonly string[]) => void
  readonly options: object
}

/** Loses everything behind so many commits, and begins a new history. */
function lose({ commits, tables, devices, uuids, commit, options }: Kept, kept: number, offer: boolean): void {
  const before = commits.splice(0)
  for (const rows of tables.values()) rows.clear()
  for (const { writes, cleared } of before.slice(0, kept)) commit(writes, cleared)
  for (const device of devices.values()) {
    for (const [number, { id, at }] of device.outcomes) {
      if (at <= kept) continue
      device.outcomes.delete(number)
      uuids.delete(id)
    }
    device.last = Math.max(0, ...device.outcomes.keys())
  }
  Object.assign(options, { history: `lost-${kept}`, offer })
}

function createKeys(schema: Schema) {
  const keyTuple = (table: string, row: Encoded) => tableOf(schema, table).key.map((column) => row[column] ?? null)
  const keyOf = (table: string, row: Encoded) => JSON.stringify(keyTuple(table, row))
  const scopesOf = (table: string, row: Encoded | undefined) =>
    row === undefined
      ? []
      : tableOf(schema, table).memberships.flatMap(({ kind, column, load }) =>
          row[column] == null ? [] : [{ scope: scopeKey(kind, String(row[column])), load }],
        )
  const isFor = (table: string, row: Encoded | undefined, to: { readonly granted: ReadonlySet<ScopeKey>; readonly held: ReadonlySet<ScopeKey> }) =>
    scopesOf(table, row).some(({ scope, load }) => (load === 'eager' ? to.granted : to.held).has(scope))
  return { keyTuple, keyOf, isFor }
}

const encodeRow = (schema: Schema, table: string, row: Readonly<Record<string, unknown>>): Encoded =>
  Object.fromEntries(
    Object.entries(tableOf(schema, table).columns).map(([name, column]) => [name, row[name] == null ? null : encodeValue(column, row[name], name)]),
  )

function netChanges(
  schema: Schema,
  tupleOf: (table: string, row: Encoded) => readonly Json[],
  session: Session,
  since: readonly Commit[],
): Map<string, TableChanges> {
  const { isFor, keyTuple } = createKeys(schema)
  const net = new Map<string, Map<string, Write>>()
  const cleared = new Set(since.flatMap((one) => one.cleared))
  for (const { writes } of since) {
    for (const write of writes) {
      const rows = net.get(write.table) ?? new Map<string, Write>()
      net.set(write.table, rows)
      rows.set(write.key, { ...write, before: rows.get(write.key)?.before ?? write.before })
    }
  }
  const changes = new Map<string, TableChanges>()
  for (const name of new Set([...net.keys(), ...cleared])) {
    const writes = [...(net.get(name)?.values() ?? [])]
    const put = writes.filter(({ after }) => isFor(name, after, session)).map(({ after }) => tupleOf(name, after ?? {}))
    const gone = writes
      .filter(({ before, after }) => before && isFor(name, before, session) && !isFor(name, after, session))
      .map(({ before }) => keyTuple(name, before ?? {}))
    if (put.length || gone.length || cleared.has(name)) changes.set(name, { cleared: cleared.has(name), gone, put, parts: null })
  }
  return changes
}
