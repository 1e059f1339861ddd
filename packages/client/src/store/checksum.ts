// What the rows of scopes add up to on this device, to be compared with what the server says.
import { type Checksum, rowSum, scopeKey, scopeKind } from '@headwater/protocol'
import { shownBy } from '@headwater/schema'
import type { StoredTable } from './delta.ts'
import { createEncoder } from './encode.ts'
import { piecesOf } from './pieces.ts'
import type { Row, Tuple } from './row.ts'
import type { Store, WireColumns } from './store.ts'

/** What is left of a checksum while rows are taken from it, and how its rows are encoded, by table and column. */
interface Tally {
  count: number
  sum: number
  /** False: there are columns that this build does not know, and nothing can be told. */
  isKnown: boolean
  readonly encoders: Map<string, (row: Row) => Tuple>
}

export interface Adding {
  /** Of a few hundred rows each. */
  readonly steps: Iterable<void>
  /** To be asked behind the last step. False: its rows are not what they should be. */
  isRight(check: Checksum): boolean
}

/** Adds up, in one pass, the rows that are here when it is called. */
export function addUp(store: Store, wire: WireColumns, checks: readonly Checksum[], key: number): Adding {
  const tallies = new Map(checks.map((check) => [check.load + check.scope, tallyOf(store, wire, check)]))
  store.settle()
  const tables = [...store.tables.values()]
    .filter((table) => [...tallies.values()].some(({ encoders }) => table.definition.memberships.some(({ column }) => encoders.has(`${table.name}.${column}`))))
    .map((table) => ({ table, pieces: piecesOf(table.rows, null) }))
  const take = ({ name, definition }: StoredTable, row: Row) => {
    for (const { kind, column, load } of definition.memberships) {
      const tally = row[column] === null ? undefined : tallies.get((load === 'eager' ? 'granted' : 'held') + scopeKey(kind, String(row[column])))
      const encode = tally?.encoders.get(`${name}.${column}`)
      if (!tally || !encode) continue
      tally.count--
      tally.sum -= rowSum(name + JSON.stringify(encode(row)), key)
    }
  }
  const steps = function* () {
    for (const { table, pieces } of tables)
      for (const piece of pieces) {
        for (const row of piece) take(table, row)
        yield
      }
  }
  return {
    steps: steps(),
    isRight: ({ load, scope }) => {
      const tally = tallies.get(load + scope)
      return !tally?.isKnown || (tally.count === 0 && tally.sum === 0)
    },
  }
}

function tallyOf(store: Store, wire: WireColumns, { scope, load, count, sum }: Checksum): Tally {
  const tally: Tally = { count, sum, isKnown: true, encoders: new Map() }
  const roles = store.scopes().roles.get(scope) ?? []
  for (const { name, definition } of store.tables.values())
    for (const membership of definition.memberships) {
      if (membership.kind !== scopeKind(scope) || (membership.load === 'eager') !== (load === 'granted')) continue
      const shown = shownBy(definition, membership, roles)
      const columns = (wire.get(name) ?? []).filter((column) => shown?.includes(column) ?? true)
      tally.isKnown &&= columns.every((column) => definition.columns[column])
      tally.encoders.set(`${name}.${membership.column}`, createEncoder(definition, columns))
    }
  return tally
}
