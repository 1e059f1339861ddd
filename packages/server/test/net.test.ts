import { defineSchema, table, text, uuid } from '@headwater/schema'
import { describe, expect, test } from 'vitest'
import type { LogRow } from '../src/feed/log.ts'
import { encodersOf, netOf } from '../src/feed/net.ts'
import { unsettledKeys } from '../src/feed/settle.ts'

const schema = defineSchema({
  tasks: table({ id: uuid().primaryKey(), ownerId: text(), title: text() }).in('user', 'ownerId').in('list', 'title', { load: 'onDemand' }),
})
const encoders = encodersOf(schema)
let seq = 0n
const row = (op: LogRow['op'], key: string, over: Partial<LogRow> = {}): LogRow => ({
  seq: ++seq,
  xid: 1n,
  table: 'tasks',
  op,
  key: JSON.stringify([key]),
  before: op === 'i' ? [] : ['user:ada'],
  after: op === 'd' ? [] : ['user:ada'],
  old: null,
  new: op === 'd' ? null : JSON.stringify({ title: `${key}${seq}`, id: key, owner_id: 'ada' }),
  byKey: false,
  depth: 1,
  actor: null,
  at: '',
  sessionUser: null,
  hash: 0n,
  ...over,
})

describe('the net of a batch', () => {
  test('is one before and one after per row, in the order of the columns', () => {
    const { changes } = netOf([row('i', 'a'), row('u', 'a', { xid: 2n, after: ['user:bob'], new: '{"id":"a","owner_id":"bob","title":"last"}' })], encoders)
    expect(changes).toEqual([{ table: 'tasks', key: '["a"]', xid: 2n, before: [], after: ['euser:bob'], changed: null, row: '["a","bob","last"]' }])
  })

  test('says nothing of a row that was made and deleted within it', () => {
    expect(netOf([row('i', 'a'), row('u', 'a'), row('d', 'a')], encoders).changes).toEqual([])
  })

  test('keeps where a row was before, when it is deleted and made again', () => {
    const { changes } = netOf([row('d', 'a', { before: ['user:eve'] }), row('i', 'a')], encoders)
    expect(changes).toMatchObject([{ before: ['euser:eve'], after: ['euser:ada'] }])
  })

  test('forgets what a truncation made void, and keeps what came after it', () => {
    const net = netOf([row('i', 'a'), row('t', 'a', { key: null, xid: 9n }), row('i', 'b')], encoders)
    expect(net.cleared).toEqual([{ table: 'tasks', xid: 9n }])
    expect(net.changes.map(({ key }) => key)).toEqual(['["b"]'])
  })

  test('tells eager and on-demand streams apart', () => {
    const { changes } = netOf([row('i', 'a', { after: ['user:ada', 'list:home'] })], encoders)
    expect(changes[0]?.after).toEqual(['euser:ada', 'dlist:home'])
  })

  test('passes over tables it does not know', () => {
    expect(netOf([row('i', 'a', { table: 'other' })], encoders).changes).toEqual([])
  })

  test('takes outcomes as they were recorded', () => {
    const outcome = row('m', 'x', { table: null, key: '["device",7]', new: '{"outcome":"refused","code":"unique","reason":"taken"}' })
    expect(netOf([outcome], encoders).outcomes).toMatchObject([{ device: 'device', outcome: { number: 7, type: 'refused', code: 'unique', reason: 'taken' } }])
  })

  test('hard case 2: a row changed twice in a transaction, once from inside a trigger, is not taken from the log', () => {
    expect(unsettledKeys([row('u', 'a'), row('u', 'a', { depth: 2 })]).get('tasks')).toEqual(new Set(['["a"]']))
    expect(unsettledKeys([row('u', 'a', { depth: 2 }), row('u', 'a')]).get('tasks')).toEqual(new Set(['["a"]']))
    expect(unsettledKeys([row('u', 'a'), row('u', 'a'), row('u', 'b', { depth: 2 }), row('u', 'a', { depth: 2, xid: 2n })]).size).toBe(0)
  })
})
