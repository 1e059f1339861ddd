// Compares what devices held and were sent with what the past says. Every finding is a text that names what differs.
import { isVisible, snapshotOf } from '../../../packages/server/src/feed/snapshot.ts'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'
import type { GeneratedApp } from './app.ts'
import { type Moment, rowsOf, type WatchedDevice } from './device.ts'
import { type Holdings, rowsHeld, rowsShown } from './oracle.ts'
import { type Past, placeOf, type Row } from './past.ts'

const nobodysScopes: ReadonlyMap<string, ReadonlySet<string>> = new Map()

/** R3, S1, S2: at every checkpoint the device holds only scopes that are granted there, and of these exactly the rows of that snapshot. */
export function judgeMoments(
  app: Pick<GeneratedApp, 'schema'>,
  past: Past,
  holdings: readonly Holdings[],
  device: Pick<WatchedDevice, 'person' | 'moments'>,
): readonly string[] {
  return device.moments.flatMap((moment, i) =>
    judgeMoment(app, past, holdings, device.person, moment).map((finding) => `${device.person}, checkpoint ${i}: ${finding}`),
  )
}

function judgeMoment({ schema }: Pick<GeneratedApp, 'schema'>, past: Past, holdings: readonly Holdings[], person: string, moment: Moment): readonly string[] {
  const snapshot = snapshotOf(moment.cursor.split(' ')[2] ?? '')
  const place = placeOf(past, (xid) => isVisible(xid, snapshot))
  const mine = holdings[place]?.get(person) ?? nobodysScopes
  const findings = [...moment.granted, ...moment.held].filter((scope) => !mine.has(scope)).map((scope) => `${scope} is held and not granted`)
  if (moment.rows === null) return findings
  for (const [name, table] of Object.entries(schema.definitions)) {
    const state = past.states[place]?.get(snakeCase(name)) ?? new Map()
    const expected = [...rowsHeld(table, state, moment.granted, moment.held, mine).values()]
    findings.push(...differences(`${name} at ${place}`, partsOf(expected, moment.rows.get(name) ?? [], table.key), moment.rows.get(name) ?? [], table.key))
  }
  return findings
}

/** R4: once nothing happens any more, every scope that is granted is held, those on demand where they are used, and all of it is shown. */
export function judgeLast(
  { schema }: Pick<GeneratedApp, 'schema'>,
  past: Past,
  holdings: readonly Holdings[],
  device: Pick<WatchedDevice, 'person' | 'moments' | 'inUse' | 'client'>,
): readonly string[] {
  const mine = holdings.at(-1)?.get(device.person) ?? nobodysScopes
  const moment = device.moments.at(-1)
  const missing = [...mine.keys()].filter((scope) => !moment?.granted.has(scope)).map((scope) => `${scope} is granted and not held`)
  // What is eager is not asked for: it is there by being granted.
  const onDemandKinds = new Set(
    Object.values(schema.definitions).flatMap(({ memberships }) => memberships.filter(({ load }) => load === 'onDemand').map(({ kind }) => kind)),
  )
  const isLacking = (scope: string) => mine.has(scope) && onDemandKinds.has(scope.slice(0, scope.indexOf(':'))) && !moment?.held.has(scope)
  const wanted = [...device.inUse()].filter(isLacking).map((scope) => `${scope} is in use and not held`)
  const shown = rowsOf(schema, device.client())
  const rows = Object.entries(schema.definitions).flatMap(([name, table]) => {
    const state = past.states.at(-1)?.get(snakeCase(name)) ?? new Map()
    const expected = [...rowsHeld(table, state, moment?.granted ?? new Set(), moment?.held ?? new Set(), mine).values()]
    return differences(`${name} in the end`, expected, shown.get(name) ?? [], table.key)
  })
  return [...missing, ...wanted, ...rows].map((finding) => `${device.person}: ${finding}`)
}

/** Columns that a role has just come to show are loaded in a moment: until then a row may lack them, and no others may be there. */
function partsOf(expected: readonly Row[], actual: readonly Row[], key: readonly string[]): readonly Row[] {
  const idOf = (row: Row) => key.map((column) => row[column]).join(' ')
  const found = new Map(actual.map((row) => [idOf(row), row]))
  return expected.map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => Object.hasOwn(found.get(idOf(row)) ?? row, column))))
}

const around = (text: string, value: string) => text.slice(Math.max(0, text.indexOf(value) - 300), text.indexOf(value) + 100)

function differences(what: string, expected: readonly Row[], actual: readonly Row[], key: readonly string[]): readonly string[] {
  const idOf = (row: Row) => key.map((column) => row[column]).join(' ')
  const textOf = (row: Row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))
  const wanted = new Map(expected.map((row) => [idOf(row), textOf(row)]))
  const found = new Map(actual.map((row) => [idOf(row), textOf(row)]))
  return [
    ...[...wanted].filter(([id]) => !found.has(id)).map(([id, row]) => `${what}: ${id} is missing: ${row}`),
    ...[...found].filter(([id]) => !wanted.has(id)).map(([id, row]) => `${what}: ${id} is there and should not be: ${row}`),
    ...[...found].filter(([id, row]) => wanted.has(id) && wanted.get(id) !== row).map(([id, row]) => `${what}: ${id} is ${row} and not ${wanted.get(id)}`),
  ]
}

/** Texts that are written once, and ids. A value may hold several. */
const canaries = /§\d+§|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** S1: of all texts and ids that were ever written, a person was sent only those that some moment of the past shows them, or that they wrote, `own`. */
export function judgeFrames(
  { schema }: Pick<GeneratedApp, 'schema'>,
  past: Past,
  holdings: readonly Holdings[],
  device: Pick<WatchedDevice, 'person' | 'frames'>,
  own: readonly string[] = [],
): readonly string[] {
  const may = new Set<string>()
  const all = new Set<string>()
  // What a value was looked through for once is known of it.
  const known = new Map<string, readonly string[]>()
  const add = (to: Set<string>, value: unknown) => {
    const text = String(value)
    const found = known.get(text) ?? text.match(canaries) ?? []
    known.set(text, found)
    for (const one of found) to.add(one)
  }
  past.states.forEach((state, place) => {
    const mine = holdings[place]?.get(device.person) ?? nobodysScopes
    for (const row of rowsShown(schema, state, mine)) for (const value of Object.values(row)) add(may, value)
    for (const scope of mine.keys()) add(may, scope)
    for (const rows of state.values()) for (const row of rows.values()) for (const value of Object.values(row)) add(all, value)
  })
  for (const text of own) add(may, text)
  const told = device.frames.filter((frame) => !frame.startsWith('{"type":"denied"')).join('\n')
  const seen = new Set(told.match(canaries))
  return [...seen].filter((value) => all.has(value) && !may.has(value)).map((value) => `${device.person} was sent ${value}: …${around(told, value)}…`)
}
