// Who gets what of a batch, and as which bytes: routing, groups and frames, without a database.
import { type Checkpoint, cursor, decodeDown, deviceId, type ScopeKey, scopeKey, userId } from '@headwater/protocol'
import { defineSchema, table, text } from '@headwater/schema'
import { describe, expect, test } from 'vitest'
import { blankLogRow } from '../../../test/harness/log-row.ts'
import { type ColumnSet, createColumnSets } from '../src/feed/columns.ts'
import type { LogRow } from '../src/feed/log.ts'
import { encodersOf, netOf } from '../src/feed/net.ts'
import { type StreamKey, streamKey } from '../src/feed/stream.ts'
import { createHub, type Member } from '../src/scopes/hub.ts'
import { shared } from '../src/session/frame.ts'
import { changedRoles, showsTheSame, tagOf } from '../src/session/roles.ts'

const schema = defineSchema({
  tasks: table({ id: text().primaryKey(), teamId: text().nullable(), deskId: text().nullable(), title: text(), cost: text() })
    .in('team', 'teamId', { columns: { viewer: ['title'], auditor: ['cost'] } })
    .in('desk', 'deskId', { load: 'onDemand' }),
  notes: table({ id: text().primaryKey(), teamId: text(), body: text() }).in('team', 'teamId'),
})
const sets = createColumnSets(schema)
const encoders = encodersOf(schema)
const team = (key: string): ScopeKey => scopeKey('team', key)
const eager = (key: string): StreamKey => streamKey('eager', team(key))
const desk = (key: string): StreamKey => streamKey('onDemand', scopeKey('desk', key))

type Values = { readonly id: string; readonly team_id: string | null; readonly desk_id: string | null; readonly title: string; readonly cost: string }
let seq = 0n
const scopesOf = (row: Values | null) => (row ? [...(row.team_id ? [`team:${row.team_id}`] : []), ...(row.desk_id ? [`desk:${row.desk_id}`] : [])] : [])

/** One row of the log, as the triggers write it. */
function logged(before: Values | null, after: Values | null, xid = 1n): LogRow {
  const op = before === null ? 'i' : after === null ? 'd' : 'u'
  const old = before && after ? Object.fromEntries(Object.entries(before).filter(([column, value]) => Reflect.get(after, column) !== value)) : before
  return {
    ...blankLogRow,
    table: 'tasks',
    op,
    seq: ++seq,
    xid,
    key: JSON.stringify([(after ?? before)?.id]),
    before: scopesOf(before),
    after: scopesOf(after),
    old: old && JSON.stringify(old),
    new: after && JSON.stringify(after),
  }
}
const row = (id: string, over: Partial<Values> = {}): Values => ({ id, team_id: '1', desk_id: null, title: 't', cost: 'canary', ...over })

function createDevices() {
  const hub = createHub<Member>()
  const add = (name: string, held: readonly (readonly [StreamKey, ColumnSet])[]) => {
    const member: Member = { device: deviceId(name), user: userId(name), held: new Map() }
    hub.add(member)
    hub.listen(member, new Map(held))
    return member
  }
  /** What each device gets of these rows of the log: its name to its frame. */
  const deliver = (...rows: readonly LogRow[]) => {
    const { changes, cleared } = netOf(rows, encoders)
    const got = new Map<string, Buffer>()
    for (const group of hub.route(changes)) {
      const same = shared(
        cursor('c'),
        group.changes,
        cleared.map((one) => one.table),
        group.held,
      )
      for (const { device } of group.members) {
        expect(got.has(device)).toBe(false)
        if (!same.isEmpty()) got.set(device, same.frame())
      }
    }
    return got
  }
  return { hub, add, deliver }
}
const viewer = sets.of(team('1'), ['viewer'])
const editor = sets.of(team('1'), ['editor'])
const auditor = sets.of(team('1'), ['auditor'])
const all = sets.of(scopeKey('desk', '1'), [])

function tasksOf(frame: Buffer | undefined) {
  // Only checkpoints are made here.
  const tasks = frame && (decodeDown(frame.toString()) as Checkpoint).tables.get('tasks')
  return tasks && { gone: tasks.gone, put: tasks.put, parts: tasks.parts }
}

describe('column sets', () => {
  test('are one object for equal ones, whichever scope and roles they come from', () => {
    expect(sets.of(team('2'), ['viewer'])).toBe(viewer)
    expect(sets.of(team('2'), ['viewer', 'viewer'])).toBe(viewer)
    expect(sets.of(team('2'), ['viewer', 'owner'])).toBe(editor)
    expect(sets.of(team('2'), ['viewer', 'auditor'])).not.toBe(viewer)
    expect(sets.of(team('2'), ['viewer', 'auditor'])).toBe(sets.of(team('1'), ['auditor', 'viewer']))
    expect(viewer.tables).toEqual(new Map([['tasks', [0, 1, 3]]]))
    expect(editor).toBe(all)
  })

  test('meet in what both show', () => {
    expect(sets.meet(viewer, editor)).toBe(viewer)
    expect(sets.meet(auditor, viewer)).toBe(sets.meet(viewer, auditor))
    expect(sets.meet(viewer, auditor).tables).toEqual(new Map([['tasks', [0, 1]]]))
    expect(sets.of(team('1'), []).tables).toEqual(new Map([['tasks', [0, 1]]]))
    expect(sets.meet(sets.of(team('1'), []), auditor)).toBe(sets.of(team('1'), []))
  })

  test('are named by a tag with the roles: who sees other columns than before is told by it', () => {
    const granted = (roles: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(roles).map(([key, of]) => [team(key), new Set(of)]))
    const before = granted({ 1: ['viewer'], 2: ['editor'] })
    const tag = tagOf(sets, before)
    expect(tagOf(sets, granted({ 2: ['editor'], 1: ['viewer'] }))).toBe(tag)
    expect(showsTheSame(sets, granted({ 1: ['viewer'], 2: ['owner'] }), tag)).toBe(true)
    expect(tagOf(sets, granted({ 1: ['viewer'], 2: ['owner'] }))).not.toBe(tag)
    expect(showsTheSame(sets, granted({ 1: ['editor'], 2: ['editor'] }), tag)).toBe(false)
    expect(showsTheSame(sets, before, null)).toBe(false)
    expect(showsTheSame(createColumnSets(defineSchema({})), before, null)).toBe(true)
    expect(changedRoles(before, granted({ 2: ['editor', 'owner'], 3: ['viewer'] }))).toEqual(
      new Map([
        [team('1'), []],
        [team('2'), ['editor', 'owner']],
        [team('3'), ['viewer']],
      ]),
    )
    expect(changedRoles(before, new Map(before)).size).toBe(0)
    expect([...changedRoles(new Map(), granted({ 1: ['x'.repeat(201), 'b', 'a'] })).values()]).toEqual([['a', 'b']])
  })
})

describe('one buffer for many', () => {
  test('devices of different people in one scope and column set get the same Buffer, whatever else they hold', () => {
    const { add, deliver } = createDevices()
    add('ada', [
      [eager('1'), viewer],
      [desk('9'), all],
    ])
    add('bob', [
      [eager('1'), viewer],
      [eager('2'), editor],
    ])
    add('eve', [[eager('1'), editor]])
    add('zoe', [[eager('2'), viewer]])
    const got = deliver(logged(null, row('a')))
    expect(Buffer.isBuffer(got.get('ada'))).toBe(true)
    expect(got.get('ada')).toBe(got.get('bob'))
    expect(got.get('eve')).not.toBe(got.get('ada'))
    expect(got.has('zoe')).toBe(false)
    expect(tasksOf(got.get('ada'))).toEqual({ gone: [], put: [], parts: [{ columns: [0, 1, 3], put: [['a', '1', 't']] }] })
    expect(tasksOf(got.get('eve'))).toEqual({ gone: [], put: [['a', '1', null, 't', 'canary']], parts: null })
    expect(got.get('ada')?.includes('canary')).toBe(false)
  })

  test('where a batch touches several streams, those who listen to the same of them share one', () => {
    const { add, deliver } = createDevices()
    for (const name of ['a', 'b']) add(name, [[eager('1'), viewer]])
    for (const name of ['c', 'd'])
      add(name, [
        [eager('1'), viewer],
        [eager('2'), viewer],
      ])
    for (const name of ['e', 'f'])
      add(name, [
        [eager('2'), viewer],
        [eager('3'), viewer],
      ])
    const got = deliver(logged(null, row('x')), logged(null, row('y', { team_id: '2' })))
    const [one, both, two] = [got.get('a'), got.get('c'), got.get('e')]
    expect([got.get('b'), got.get('d'), got.get('f')]).toEqual([one, both, two])
    for (const [name, frame] of [
      ['b', one],
      ['d', both],
      ['f', two],
    ] as const)
      expect(got.get(name)).toBe(frame)
    const keys = (frame: Buffer | undefined) => tasksOf(frame)?.parts?.flatMap(({ put }) => put.map(([id]) => id))
    expect([keys(one), keys(both), keys(two)]).toEqual([['x'], ['x', 'y'], ['y']])
  })

  test('what alters nothing that a holder sees is not sent to them, and a batch adds up to what it altered', () => {
    const { add, deliver } = createDevices()
    add('ada', [[eager('1'), viewer]])
    add('aud', [[eager('1'), auditor]])
    add('eve', [[eager('1'), editor]])
    const start = row('a')
    const names = (...rows: readonly LogRow[]) => [...deliver(...rows).keys()].sort()
    expect(names(logged(start, row('a', { cost: 'more' })))).toEqual(['aud', 'eve'])
    expect(names(logged(start, row('a', { title: 'new' })))).toEqual(['ada', 'eve'])
    const middle = row('a', { cost: 'more' })
    expect(names(logged(start, middle), logged(middle, row('a', { cost: 'more', title: 'new' }), 2n))).toEqual(['ada', 'aud', 'eve'])
    expect(names(logged(start, row('a', { team_id: null })))).toEqual(['ada', 'aud', 'eve'])
    expect(names(logged(start, null), logged(null, start))).toEqual(['ada', 'aud', 'eve'])
    expect(names(logged(null, start), logged(start, null))).toEqual([])
  })

  test('hard cases 12 and 13: a row in several scopes has the union of their columns, per device, and moves between column sets in one step', () => {
    const { add, deliver } = createDevices()
    const [both, onlyTeam, onlyDesk] = ['both', 'team', 'desk']
    add(both, [
      [eager('1'), viewer],
      [eager('2'), auditor],
      [desk('1'), all],
    ])
    add(onlyTeam, [[eager('1'), viewer]])
    add(onlyDesk, [[desk('1'), all]])
    const start = row('a', { desk_id: '1' })
    const moved = row('a', { desk_id: null })
    const got = deliver(logged(start, moved))
    // Nothing that a viewer sees has changed, and for the one who held it whole it is a part from now on.
    expect(tasksOf(got.get(both))).toEqual({ gone: [], put: [], parts: [{ columns: [0, 1, 3], put: [['a', '1', 't']] }] })
    expect(got.has(onlyTeam)).toBe(false)
    expect(tasksOf(got.get(onlyDesk))).toEqual({ gone: [['a']], put: [], parts: null })
    const other = deliver(logged(moved, row('a', { team_id: '2' })))
    expect(tasksOf(other.get(both))).toEqual({ gone: [], put: [], parts: [{ columns: [0, 1, 4], put: [['a', '2', 'canary']] }] })
    expect(tasksOf(other.get(onlyTeam))).toEqual({ gone: [['a']], put: [], parts: null })
  })

  test('nobody is told what a stream does to which they no longer listen, and the hub keeps nothing of who has gone', () => {
    const { hub, add, deliver } = createDevices()
    const ada = add('ada', [
      [eager('1'), viewer],
      [eager('2'), viewer],
    ])
    hub.unlisten(ada, [eager('1')])
    expect(deliver(logged(null, row('a'))).size).toBe(0)
    hub.listen(ada, new Map([[eager('2'), editor]]))
    expect(tasksOf(deliver(logged(null, row('b', { team_id: '2' }))).get('ada'))?.put).toHaveLength(1)
    hub.remove(ada)
    expect(deliver(logged(null, row('c', { team_id: '2' }))).size).toBe(0)
    expect([ada.held.size, [...hub.members()].length]).toEqual([0, 0])
  })
})
