// Column sets on the device: absent is not null, and what a device holds is what its scopes and roles show, whatever came in which order.
import { type Checkpoint, cursor, databaseId, historyId, type Json, type ScopeKey, scopeKey, type TableChanges, type Welcome } from '@headwater/protocol'
import { bigint, defineSchema, ne, queryOf, shownBy, table, text } from '@headwater/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RowsOption } from '../src/api.ts'
import { createDraft } from '../src/outbox/draft.ts'
import { createHeard } from '../src/outbox/heard.ts'
import { restore } from '../src/outbox/restore.ts'
import { packedRows } from '../src/store/packing.ts'
import { emptyCheckpoint, snapshotRecords } from '../src/store/snapshot.ts'
import { createStore, type Store } from '../src/store/store.ts'
import { createClock } from './world.ts'

const schema = defineSchema({
  campaigns: table({
    id: text().primaryKey(),
    teamId: text().nullable(),
    companyId: text().nullable(),
    deskId: text().nullable(),
    name: text(),
    budget: bigint().nullable(),
  })
    .in('team', 'teamId', { columns: { viewer: ['name'], auditor: ['budget', 'name'] } })
    .in('company', 'companyId', { columns: ['name'] })
    .in('desk', 'deskId', { load: 'onDemand', columns: { clerk: ['budget'] } }),
})
// The table is in the schema.
const definition = schema.definitions.campaigns as (typeof schema.definitions)[string]
const columns = Object.keys(definition.columns)
const welcome: Welcome = {
  type: 'welcome',
  version: 1,
  database: databaseId('d'),
  history: historyId('h'),
  nonce: 'n',
  resumed: true,
  reason: '',
  continued: null,
  offer: null,
  last: 0,
  columns: new Map([['campaigns', columns]]),
}

type Encoded = Readonly<Record<string, Json>>
type Rows = ReadonlyMap<string, Encoded>
/** Scope to the roles by which it is held; a desk is held on demand. */
type Held = ReadonlyMap<ScopeKey, readonly string[]>

function openStore(rows?: RowsOption): Store {
  const store = createStore({
    rows,
    schema,
    clock: createClock(),
    report: (error) => {
      throw error
    },
    stateOf: () => 'complete',
  })
  store.setColumns(welcome.columns)
  return store
}

/** What a person who holds these scopes sees of a row, by name; null: nothing. */
function visible(row: Encoded | undefined, held: Held): Encoded | null {
  const shown = new Set<string>()
  for (const membership of row ? definition.memberships : []) {
    const scope = scopeKey(membership.kind, String(row?.[membership.column]))
    const roles = row?.[membership.column] === null ? undefined : held.get(scope)
    if (roles) for (const column of shownBy(definition, membership, roles) ?? columns) shown.add(column)
  }
  return row && shown.size > 0 ? Object.fromEntries(Object.entries(row).filter(([column]) => shown.has(column))) : null
}

const placesOf = (row: Encoded) => Object.keys(row).map((column) => columns.indexOf(column))
const listsOf = (scopes: readonly ScopeKey[]) => ({
  granted: scopes.filter((scope) => !scope.startsWith('desk')),
  held: scopes.filter((scope) => scope.startsWith('desk')),
})

function apply(store: Store, checkpoint: Checkpoint): void {
  store.commit(store.prepare(checkpoint, store.takeLoads(checkpoint.loads)), new Map())
}

let loads = 0
/** What a server sends to a device that held `before` of `was`, and now holds `after` of `is`. The loads are as old as `was`. */
function move(store: Store, [was, before]: [Rows, Held], [is, after]: [Rows, Held], isAnew: boolean): void {
  const left = isAnew ? [] : [...before.keys()].filter((scope) => !after.has(scope))
  const isGained = (scope: ScopeKey) => isAnew || String(before.get(scope)) !== String(after.get(scope))
  const joined = [...after.keys()].filter(isGained)
  const load = ++loads
  for (const scope of joined) {
    for (const row of was.values()) {
      const seen = visible(row, new Map([[scope, after.get(scope) ?? []]]))
      const places = seen && seen !== row && Object.keys(seen).length < columns.length ? placesOf(seen) : null
      if (seen) store.stage({ type: 'load', load, table: 'campaigns', columns: places, rows: [Object.values(seen)], mark: null, total: null })
    }
  }
  const changes: TableChanges & { readonly gone: Json[][]; readonly put: Json[][] } = { cleared: false, gone: [], put: [], parts: [] }
  const parts: { readonly columns: readonly number[]; readonly put: readonly Json[][] }[] = []
  for (const id of new Set([...was.keys(), ...is.keys()])) {
    const [old, next] = [visible(was.get(id), after), visible(is.get(id), after)]
    if (next === null) {
      if (old !== null) changes.gone.push([id])
    } else if (JSON.stringify(old) !== JSON.stringify(next)) {
      if (Object.keys(next).length === columns.length) changes.put.push(Object.values(next))
      else parts.push({ columns: placesOf(next), put: [Object.values(next)] })
    }
  }
  const roles = new Map<string, readonly string[]>([
    ...left.map((scope) => [scope, []] as const),
    ...joined.map((scope) => [scope, after.get(scope) ?? []] as const),
  ])
  apply(store, {
    ...emptyCheckpoint(cursor(`c${load}`)),
    replace: isAnew,
    loads: [load],
    left: listsOf(left),
    joined: listsOf(joined),
    grants: { tag: `t${load}`, replace: isAnew, roles },
    tables: new Map([['campaigns', { ...changes, parts }]]),
  })
}

function held(store: Store): Rows {
  const rows = new Map<string, Encoded>()
  store.tables.get('campaigns')?.rows.forEach((row, key) => rows.set(key, encodedOf(row)))
  return rows
}
// Of all columns only the bigint is encoded as something else.
const encodedOf = (row: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    columns.filter((column) => column in row).map((column) => [column, typeof row[column] === 'bigint' ? String(row[column]) : row[column]]),
  ) as Encoded
const expected = (rows: Rows, scopes: Held): Rows =>
  new Map([...rows].flatMap(([id, row]) => (visible(row, scopes) === null ? [] : [[id, visible(row, scopes) as Encoded] as const])))
const sorted = (rows: Rows) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1))

const key = fc.option(fc.constantFrom('1', '2'))
const row = fc.record({ teamId: key, companyId: key, deskId: key, name: fc.constantFrom('a', 'b'), budget: fc.option(fc.constantFrom('1', '2')) })
const rows = fc
  .dictionary(fc.constantFrom('r1', 'r2', 'r3', 'r4'), row, { noNullPrototype: true })
  .map((all): Rows => new Map(Object.entries(all).map(([id, one]) => [id, { id, ...one }])))
const roles = fc.subarray(['viewer', 'auditor', 'clerk', 'editor'], { minLength: 1 })
const scopes = fc
  .array(fc.tuple(fc.constantFrom('team', 'company', 'desk'), fc.constantFrom('1', '2'), roles), { maxLength: 5 })
  .map((all): Held => new Map(all.map(([kind, of, by]) => [scopeKey(kind, of), by])))

describe('column sets', () => {
  test.each([
    ['in objects', undefined],
    ['packed', packedRows()],
  ])(
    'after any sequence of put, parts, left, joined and grants, and after restarts, the device holds what its scopes and roles show, and nothing else, %s',
    (_, option) => {
      const step = fc.record({ rows, scopes, keeps: fc.constantFrom('rows', 'scopes', 'neither'), isAnew: fc.boolean(), isRestarted: fc.boolean() })
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
          let store = openStore(option)
          let state: [Rows, Held] = [new Map(), new Map()]
          for (const { rows: next, scopes: after, keeps, isAnew, isRestarted } of steps) {
            const to: [Rows, Held] = [keeps === 'rows' ? state[0] : next, keeps === 'scopes' ? state[1] : after]
            move(store, state, to, isAnew)
            state = to
            expect(sorted(held(store))).toEqual(sorted(expected(...state)))
            expect([...store.roles().keys()].sort()).toEqual([...state[1].keys()].sort())
            if (!isRestarted) continue
            const records = [...snapshotRecords(store, welcome)].filter((record) => record !== '')
            store = openStore(option)
            const fail = (error: unknown) => {
              throw error
            }
            restore(records, store, createHeard(), fail, option)
            expect(sorted(held(store))).toEqual(sorted(expected(...state)))
            expect(store.scopes().tag).toBe(`t${loads}`)
          }
        }),
        { numRuns: 200 },
      )
    },
  )

  test('what is not held is unknown: no filter matches it, not even one for null, and it comes last', () => {
    const store = openStore()
    const all: Rows = new Map(
      ['1', '2', '3'].map((id) => [id, { id, teamId: id === '2' ? '1' : null, companyId: '1', deskId: null, name: `n${id}`, budget: id === '2' ? '5' : null }]),
    )
    move(
      store,
      [new Map(), new Map()],
      [
        all,
        new Map([
          [scopeKey('company', '1'), ['owner']],
          [scopeKey('team', '1'), ['auditor']],
        ]),
      ],
      true,
    )
    move(
      store,
      [all, new Map()],
      [
        all,
        new Map([
          [scopeKey('company', '1'), ['owner']],
          [scopeKey('team', '1'), ['auditor']],
        ]),
      ],
      true,
    )
    const query = queryOf('campaigns', definition, (asked) => ({ ids: () => store.ask(asked).map(({ id }) => id) }))
    const names = query as unknown as { where(where: object): typeof query; orderBy(column: string, direction?: string): typeof query; ids(): unknown[] }
    expect(names.where({ budget: null }).ids()).toEqual([])
    expect(names.where({ budget: ne(null) }).ids()).toEqual(['2'])
    expect(names.where({ budget: 5n }).ids()).toEqual(['2'])
    expect(names.where({ deskId: null }).ids()).toEqual([])
    expect(names.orderBy('budget').ids()).toEqual(['2', '1', '3'])
    expect(names.orderBy('budget', 'desc').ids()).toEqual(['1', '3', '2'])
    expect(store.confirmed.get('campaigns', '1')).toEqual({ id: '1', companyId: '1', name: 'n1' })
    const draft = createDraft({ schema, assertHeld: () => {} }, store.visible)
    const refusalOf = (expected: Json) => {
      try {
        draft.write('campaigns.update', { row: { id: '1', name: 'new' }, expect: expected })
      } catch (error) {
        return error
      }
      return null
    }
    expect(refusalOf({ budget: null })).toMatchObject({ code: 'refused', details: { code: 'hidden' } })
    expect(refusalOf({ name: 'n1' })).toBeNull()
  })

  test('a column that a new role shows is absent, and not null, until its load is there', () => {
    const store = openStore()
    const team = scopeKey('team', '1')
    const all: Rows = new Map([['1', { id: '1', teamId: '1', companyId: null, deskId: null, name: 'n', budget: '5' }]])
    move(store, [all, new Map()], [all, new Map([[team, ['viewer']]])], true)
    apply(store, { ...emptyCheckpoint(cursor('c')), grants: { tag: 't', replace: false, roles: new Map([[team, ['auditor']]]) } })
    expect([...held(store).values()]).toEqual([{ id: '1', teamId: '1', name: 'n' }])
  })

  test('a part that lacks the key, or has another number of values than columns, is left out and reported', () => {
    const errors: unknown[] = []
    const store = createStore({ schema, clock: createClock(), report: (error) => errors.push(error), stateOf: () => 'complete' })
    store.setColumns(welcome.columns)
    store.stage({ type: 'load', load: 1, table: 'campaigns', columns: [2, 4], rows: [['1', 'n']], mark: null, total: null })
    store.stage({ type: 'load', load: 1, table: 'campaigns', columns: [0, 2, 99], rows: [['1', '1']], mark: null, total: null })
    apply(store, { ...emptyCheckpoint(cursor('c')), loads: [1], joined: { granted: [scopeKey('company', '1')], held: [] } })
    expect(held(store).size).toBe(0)
    expect(errors).toHaveLength(2)
  })
})
