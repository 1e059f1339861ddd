import { assert, HeadwaterError } from '@headwater/protocol'
import type { RowsOption } from '../api.ts'
import { createPackedRows, isPacked } from './packed.ts'
import { packLoads } from './packedLoads.ts'
import type { Store } from './store.ts'

/**
 * For stores of tens of thousands of rows and more: rows lie in memory as they lie on the disk, column by column, and are made when somebody needs them. A start reads
 * the columns that its first query names in `where` and `orderBy`, and what nobody asked for stays packed. Smaller stores gain nothing by it.
 *
 *     createClient({ schema, mutators, url: '/', user, rows: packedRows() })
 */
export const packedRows = (): RowsOption => ({
  create: createPackedRows,
  // The engine has one kind of store.
  wrap: <S>(store: S, pending: () => number, report: (error: unknown) => void) =>
    packLoads(store as Store, pending, (definition) => createPackedRows(definition, report)) as S,
  hear: (record, tables) => {
    if (!record.startsWith('{"page":')) return false
    // A record has several pages, between which is an empty line.
    for (const one of record.split('\n\n')) {
      const [head = '', ...texts] = one.split('\n')
      const { page } = JSON.parse(head)
      if (texts.length !== page.columns.length) throw new HeadwaterError('malformed', 'A page lacks columns.')
      const rows = tables.get(page.table)?.rows
      if (!rows) continue
      assert(isPacked(rows), 'rows were made by the same option')
      rows.add({ ...page, texts })
    }
    return true
  },
})
