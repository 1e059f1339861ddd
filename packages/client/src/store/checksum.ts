// What the rows of a scope add up to on this device, to be compared with what the server says.
import { type Checksum, rowSum, scopeKey, scopeKind } from '@headwater/protocol'
import { shownBy } from '@headwater/schema'
import { createEncoder } from './encode.ts'
import type { Row } from './row.ts'
import type { Store, WireColumns } from './store.ts'

/** False: they are not what they should be. Columns that this build does not know cannot be told. */
export function addsUp(store: Store, wire: WireColumns, { scope, load, count, sum }: Checksum, key: number): boolean {
  for (const { name, definition, rows } of store.tables.values()) {
    for (const membership of definition.memberships) {
      if (membership.kind !== scopeKind(scope) || (membership.load === 'eager') !== (load === 'granted')) continue
      const shown = shownBy(definition, membership, store.scopes().roles.get(scope) ?? [])
      const columns = (wire.get(name) ?? []).filter((column) => shown?.includes(column) ?? true)
      if (columns.some((column) => !definition.columns[column])) return true
      const encode = createEncoder(definition, columns)
      const add = (row: Row) => {
        if (scopeKey(scope.slice(0, scope.indexOf(':')), String(row[membership.column])) !== scope || row[membership.column] === null) return
        count--
        sum -= rowSum(name + JSON.stringify(encode(row)), key)
      }
      rows.forEach(add, null)
    }
  }
  return count === 0 && sum === 0
}
