// Rows that a server has put into a page are shown until the store has what the server saw, and to their person alone.
import { type PageData, pageQueries, pageText } from '@headwater/schema'
import { expect, test } from 'vitest'
import { createClient } from '../src/client.ts'
import { pagePorts } from '../src/node.ts'
import { fromPage, includes } from '../src/paint/page.ts'
import { createFixture, mutators, project, schema, titles } from './fixture.ts'

/** Of a database whose snapshot is how many commits there were. */
const pageOf = (commits: number, over: Partial<PageData> = {}): PageData => {
  const [asked] = pageQueries(schema, (q) => [q.projects.orderBy('id')])
  const rows = [{ id: 'p1', ownerId: 'ada', title: 'Of the page', rank: 1, budget: '1234567890123456789', isOpen: true, settings: null, updatedAt: null }]
  return {
    user: 'ada',
    database: 'db-1',
    history: 'h-1',
    snapshot: `${commits}:${commits}:`,
    results: [{ text: asked?.text ?? '', table: 'projects', rows }],
    ...over,
  }
}

function open(data: PageData) {
  const fixture = createFixture()
  // The other side of these tests has cursors of its own.
  fixture.network.tamper = (frame) => [frame.replace(/"cursor":"h-1:(\d+)"/, '"cursor":"db-1 h-1 $1:$1: 0:0: 0 0"')]
  fixture.peer.put('projects', project('p1', 'One'))
  const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: fixture.ports(), firstPaint: fromPage(data) })
  const live = client.query.projects.orderBy('id').live()
  const heard: unknown[] = []
  live.subscribe(() => heard.push(shown()))
  const shown = () => [live.result().rows.map(({ title }) => title), live.result().state]
  return { ...fixture, client, live, heard, shown }
}

test('HC30 the rows of a page are shown from the first render until the store has reached their snapshot; what is pending comes with it', async () => {
  const { client, live, shown, heard, clock, peer } = open(pageOf(2))
  expect(live.result().rows).toEqual([expect.objectContaining({ title: 'Of the page', budget: 1234567890123456789n })])
  client.mutate.projects.insert(project('p9', 'Mine'))
  await clock.advance(10)
  expect(shown()).toEqual([['Of the page'], 'partial'])
  expect(heard).toEqual([])
  peer.put('projects', project('p2', 'Two'))
  await clock.advance(100)
  expect(heard[0]).toEqual([['One', 'Two', 'Mine'], 'complete'])
  // What was rendered stays for parts of a page that are hydrated later.
  expect(live.first?.().rows.map(({ title }) => title)).toEqual(['Of the page'])
})

test('where nothing happens any more the store has the word two seconds after the device is live', async () => {
  const { shown, clock } = open(pageOf(7))
  await clock.advance(1_000)
  expect(shown()[1]).toBe('partial')
  await clock.advance(2_000)
  expect(shown()).toEqual([['One'], 'complete'])
})

test('S7 the page of another person is not shown, and one of another database or past only until the store has its own', async () => {
  expect(open(pageOf(1, { user: 'grace' })).shown()).toEqual([[], 'loading'])
  for (const other of [{ database: 'db-2' }, { history: 'h-2' }]) {
    const { shown, clock } = open(pageOf(99, other))
    expect(shown()[1]).toBe('partial')
    await clock.advance(100)
    expect(shown()).toEqual([['One'], 'complete'])
  }
})

test('a result that this build cannot read is left to the store', async () => {
  const [result] = pageOf(1).results
  const text = result?.text ?? ''
  for (const results of [[{ text, table: 'gone', rows: [] }], [{ text, table: 'projects', rows: [{ id: 'p1', budget: true }] }]]) {
    const { shown, clock, client } = open(pageOf(1, { results }))
    expect(shown()).toEqual([[], 'loading'])
    await clock.advance(100)
    expect(titles(client)).toEqual(['One'])
  }
})

test('a page is rendered by a client that reaches nothing, and its text ends no script', () => {
  const data = pageOf(1)
  const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: pagePorts(), firstPaint: fromPage(data) })
  expect(client.query.projects.orderBy('id').live().result().rows).toHaveLength(1)
  const hostile = { ...data, user: '</script><!--' }
  expect(pageText(hostile)).not.toContain('<')
  expect(JSON.parse(pageText(hostile))).toEqual(hostile)
})

test.each([
  ['9:9:', '9:9:', true],
  ['9:9:', '9:12:9,10', false],
  ['8:12:8', '9:12:9', false],
  ['9:12:9', '8:12:8,9', true],
  ['12:12:', '8:12:8,9', true],
  ['8:14:8,13', '8:12:8', true],
  ['', '1:1:', false],
  ['9:9:', 'x', true],
])('%s shows all that %s does: %s', (later, earlier, answer) => {
  expect(includes(later, earlier)).toBe(answer)
})
