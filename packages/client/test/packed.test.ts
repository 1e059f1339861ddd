// Rows that lie packed are those that lie as objects, and a query makes no others than it needs.
import { HeadwaterError } from '@headwater/protocol'
import { defineSchema, type Predicate, type QueryDefinition, table, text } from '@headwater/schema'
import { expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import { isPacked } from '../src/store/packed.ts'
import { packedRows } from '../src/store/packing.ts'
import { createStore } from '../src/store/store.ts'
import { createFixture } from './fixture.ts'
import { createClock } from './world.ts'

const schema = defineSchema({ things: table({ id: text().primaryKey(), userId: text(), rank: text(), body: text() }).in('user', 'userId') })
const nameOf = (n: number) => String(n).padStart(4, '0')

function filled(errors: unknown[] = []) {
  const option = packedRows()
  const store = createStore({ schema, rows: option, clock: createClock(), report: (error) => errors.push(error), stateOf: () => 'complete' })
  const columns = ['id', 'userId', 'rank', 'body']
  for (let from = 0; from < 1_000; from += 100) {
    const rows = Array.from({ length: 100 }, (_, at) => [nameOf(from + at), 'ada', nameOf(((from + at) * 7919) % 1_000), 'x'])
    const texts = columns.map((_, at) => JSON.stringify(rows.map((row) => row[at])))
    option.hear([JSON.stringify({ page: { table: 'things', size: 100, columns, wire: columns } }), ...texts].join('\n'), store.tables)
  }
  const rows = store.tables.get('things')?.rows
  if (!rows || !isPacked(rows)) throw new Error('Rows are not packed.')
  const where: Predicate = { type: 'and', parts: [] }
  const ask = (asked: Partial<QueryDefinition> = {}) => store.ask({ table: 'things', where, orderBy: [], limit: null, ...asked })
  return { store, rows, ask, packed: () => rows.pages.filter((page) => page !== null).length }
}

test('a first query makes the pages of the rows that it answers with, and no others; a row is the same object from then on', () => {
  const { rows, ask, packed } = filled()
  expect(packed()).toBe(10)
  const first = ask({ limit: 5 })
  expect(first.map(({ id }) => id)).toEqual(['0000', '0001', '0002', '0003', '0004'])
  expect(first[0]).toEqual({ id: '0000', userId: 'ada', rank: '0000', body: 'x' })
  expect(packed()).toBe(9)
  expect(rows.get('0000')).toBe(first[0])
  expect(ask({ where: { type: 'compare', column: 'rank', operator: 'eq', operand: '0002' } })).toHaveLength(1)
  expect(packed()).toBe(8)
  expect(ask()).toHaveLength(1_000)
  expect(packed()).toBe(0)
  expect(ask({ limit: 1 })[0]).toBe(first[0])
})

test('what looks at all rows, and keeps none, makes none', () => {
  const { rows, packed } = filled()
  let length = 0
  rows.forEach((row, _key) => {
    length += String(row.body).length
  }, null)
  expect([length, packed()]).toEqual([1_000, 10])
})

test('what is put, changed and removed among packed rows is seen by every query', () => {
  const { rows, ask } = filled()
  rows.set('0500', { id: '0500', userId: 'ada', rank: 'a', body: 'y' })
  rows.set('new', { id: 'new', userId: 'ada', rank: 'b', body: 'z' })
  expect(rows.delete('0501')).toBe(true)
  expect(rows.delete('none')).toBe(false)
  expect([rows.size, rows.has('0501'), rows.has('0502')]).toEqual([1_000, false, true])
  const last = ask({ orderBy: [{ column: 'rank', direction: 'desc' }], limit: 3 })
  expect(last.map(({ rank }) => rank)).toEqual(['b', 'a', '0999'])
})

const name = diskName('ada', 'http://server/')
const project = (id: string) => ({ id, ownerId: 'ada', title: id, rank: 0, isOpen: true })

test('HC29, F7: a store of format 1 is read as it is; one that lies packed is loaded again by an app that cannot read it, and the outbox stays', async () => {
  const { peer, device, clock, network, disks } = createFixture()
  peer.put('projects', ...Array.from({ length: 300 }, (_, n) => project(`p${n}`)))
  const old = device()
  await clock.advance(100)
  network.setOnline(false)
  await old.mutate.projects.insert({ id: 'mine', title: 'mine' }).saved
  await old.close()
  const packed = device('ada', '/', {}, packedRows())
  await packed.ready
  expect(packed.query.projects.all()).toHaveLength(301)
  expect(packed.status.get().pending).toBe(1)
  await packed.close()
  const disk = await disks.open(name)
  const records = await disk.read()
  const page = { table: 'projects', size: 1, columns: ['id'], wire: ['id'] }
  await disk.append([[JSON.stringify({ page }), '["px"]'].join('\n')], { strict: true })
  expect(records.length).toBeGreaterThan(1)
  await disk.close()
  const without = device()
  await without.ready
  expect(without.query.projects.all().map(({ id }) => id)).toEqual(['mine'])
  expect(without.status.get().pending).toBe(1)
  network.setOnline(true)
  await clock.advance(60_000)
  expect(without.status.get()).toMatchObject({ phase: 'live', pending: 0 })
  expect(without.query.projects.all()).toHaveLength(301)
})

test('a page that was cut off is said to be none', () => {
  const { store } = filled()
  expect(() => packedRows().hear('{"page":{"table":"things","size":1,"columns":["id"],"wire":["id"]}}', store.tables)).toThrow(HeadwaterError)
})
