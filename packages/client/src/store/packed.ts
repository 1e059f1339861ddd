// Invariant: a row is made when it is first needed, with all of its page, and is the same object from then on until it changes. Before that it lies
// in its page, none of whose rows was changed or made.
import { assert, type Json } from '@headwater/protocol'
import { decodeValue, fullOrder, isPlain, type Predicate, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Rows } from '../api.ts'
import type { Aggregated } from './group.ts'
import { inPieces } from './pieces.ts'
import { keyOfRow, type Row, whole } from './row.ts'

/** Rows of one table that have the same columns, as they lie on the disk: of each column the values as JSON, so that one is read without the others. */
export interface Page {
  readonly table: string
  readonly size: number
  /** The columns that its rows have. */
  readonly columns: readonly string[]
  /** Those that the server had for the table: a column that is not among them is null, one that is and that rows have not is absent. */
  readonly wire: readonly string[]
  /** The JSON of each column's encoded values, in the order of `columns`. */
  readonly texts: readonly string[]
}

export interface PackedRows extends Rows {
  /** Those of which no row was made; null in the place of the others. */
  readonly pages: readonly (Page | null)[]
  /** The other rows. */
  made(run: (row: Row, key: string) => void): void
  /** Takes in rows that are not among these; with the keys of all rows before it and its own, in order, these are not looked for later. */
  add(page: Page, keys?: readonly string[]): void
  /** The rows of another, in the place of these, of which there are none. The other is not used any more. */
  take(other: PackedRows): void
  readonly state: PackedState
}

interface PackedState {
  /** A row, or in which of the pages it lies. */
  readonly byKey: Map<string, Row | number>
  readonly pages: (Page | null)[]
  /** The keys of pages before this one are in the map. */
  keyed: number
}

export const isPacked = (rows: Rows): rows is PackedRows => 'pages' in rows

/** No rows. What cannot be read of a page is reported when it is read. */
export function createPackedRows(definition: TableDefinition, report: (error: unknown) => void): PackedRows {
  let state: PackedState = { byKey: new Map(), pages: [], keyed: 0 }
  const read = (at: number, asked: readonly string[] | null, run: (row: Record<string, unknown>, key: string) => void) => {
    const page = state.pages[at]
    if (page) readPage(definition, page, asked, report, run)
  }

  function get(key: string): Row | undefined {
    for (; state.keyed < state.pages.length; state.keyed++) read(state.keyed, [], (_, one) => state.byKey.set(one, state.keyed))
    return madeOf(key)
  }

  function madeOf(key: string): Row | undefined {
    const row = state.byKey.get(key)
    if (typeof row !== 'number') return row
    // One that cannot be read is none.
    state.byKey.delete(key)
    unpack(row)
    return madeOf(key)
  }

  function unpack(at: number): void {
    read(at, null, (row, key) => state.byKey.set(key, row))
    state.pages[at] = null
  }

  /** What makes a row of a part of it that has its key. No column has the name that parts have it by. */
  const wholeOf = (at: number) => (part: Row) => {
    unpack(at)
    return madeOf(keyOfRow(definition, part)) ?? part
  }

  function made(run: (row: Row, key: string) => void): void {
    state.byKey.forEach((row, key) => {
      if (typeof row !== 'number') run(row, key)
    })
  }

  return {
    get state() {
      return state
    },
    get pages() {
      return state.pages
    },
    made,
    add: (page, keys) => {
      const at = state.pages.push(page) - 1
      if (!keys) return
      for (const key of keys) state.byKey.set(key, at)
      state.keyed = at + 1
    },
    take: (other) => {
      assert(sizeOf(state) === 0, 'rows that are there stay')
      state = other.state
    },
    get size() {
      return sizeOf(state)
    },
    get,
    has: (key) => get(key) !== undefined,
    set: (key, row) => {
      get(key)
      state.byKey.set(key, row)
    },
    delete: (key) => get(key) !== undefined && state.byKey.delete(key),
    keys: () => {
      get('')
      return state.byKey.keys()
    },
    pieces: (asked) => {
      const columns = asked?.map((one) => one && columnsAsked(definition, one))
      const isWhole = columns?.includes(undefined)
      const part = isWhole ? [] : (columns?.flatMap((one) => one ?? []) ?? null)
      const there: Row[] = []
      made((row) => there.push(row))
      // A page whose rows are made from now on is read here all the same.
      const pages = [...state.pages]
      return (function* () {
        yield* inPieces(there)
        for (const [at, page] of pages.entries()) {
          const piece: Row[] = []
          const wholeOne = wholeOf(at)
          const add = (row: Record<string, unknown>) => {
            if (part) row[''] = wholeOne
            piece.push(row)
          }
          if (page) readPage(definition, page, part, report, add)
          yield isWhole ? piece.map(whole) : piece
        }
      })()
    },
    forEach: (run, asked) => {
      const columns = asked && columnsAsked(definition, asked)
      for (const at of state.pages.keys()) {
        const wholeOne = wholeOf(at)
        if (columns === undefined) unpack(at)
        else
          read(at, columns, (row, key) => {
            row[''] = wholeOne
            run(row, key)
          })
      }
      made(run)
    },
  }
}

/** Finding out the keys of rows that lie packed would take as long as a query over them. */
const sizeOf = ({ byKey, pages, keyed }: PackedState): number => pages.slice(keyed).reduce((size, page) => size + (page?.size ?? 0), byKey.size)

/** What tells whether a row matches a query, where it stands, and what it adds to an aggregate; undefined: all rows are wanted. */
function columnsAsked(table: TableDefinition, { where, orderBy, limit, plan }: QueryDefinition): readonly string[] | undefined {
  const asked = columnsOf(where)
  // `with` or `aggregate` made it.
  const { by = [], parts = {} } = (plan ?? {}) as Partial<Aggregated>
  const aggregates = Object.values(parts).filter(({ kind }) => kind)
  if (aggregates.length > 0) return [...asked, ...by, ...aggregates.flatMap(({ column }) => column ?? [])]
  return asked.length > 0 || limit ? [...fullOrder(table, orderBy).map(({ column }) => column), ...asked] : undefined
}

function columnsOf(where: Predicate): readonly string[] {
  if ('parts' in where) return where.parts.flatMap(columnsOf)
  return 'part' in where ? columnsOf(where.part) : [where.column]
}

/** Columns are matched by name: one that this build does not know is ignored. What is not a row of the table is left out, and reported as `corrupt`. */
function readPage(
  table: TableDefinition,
  { columns, wire, texts, size }: Page,
  asked: readonly string[] | null,
  report: (error: unknown) => void,
  run: (row: Record<string, unknown>, key: string) => void,
): void {
  const parts = Object.entries(table.columns)
    .filter(([name]) => (columns.includes(name) || !wire.includes(name)) && (!asked || asked.includes(name) || table.key.includes(name)))
    .map(([name, column]) => {
      const values: readonly Json[] = JSON.parse(texts[columns.indexOf(name)] ?? '[]')
      return { name, column: isPlain(column) ? null : column, values }
    })
  // What JSON.parse makes has room for its members within itself, and so has a copy: a quarter less memory than an object that grows, in half the time.
  const blank: Record<string, unknown> = JSON.parse(JSON.stringify(Object.fromEntries(parts.map(({ name }) => [name, null]))))
  // One loop with nothing in it that need not be: a cold start spends its time here, before anything is compiled.
  for (let i = 0; i < size; i++) {
    const row = { ...blank }
    let key: string
    try {
      for (const { name, column, values } of parts) {
        const value = values[i] ?? null
        row[name] = column && value !== null ? decodeValue(column, value) : value
      }
      key = keyOfRow(table, row)
    } catch (error) {
      report(error)
      continue
    }
    run(row, key)
  }
}
