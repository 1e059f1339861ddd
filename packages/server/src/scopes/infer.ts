// Invariant: what is inferred is certain. A relation that takes its columns from single rows of one table, or a union of such, gives by
// each row at most one (user, key): a changed row concerns those that it named before and names now, and nobody else. The form is
// looked for in PostgreSQL's own print of the relation, which is always laid out alike; where anything else stands, nothing is inferred.
import type { By } from './relation.ts'

interface Table {
  readonly table: string
  readonly types: ReadonlyMap<string, string | null>
}

const name = '(?:"(?:[^"\\n]|"")+"|[a-z_][a-z0-9_$]*)'
const outer = /^\s*SELECT [^()]*\sFROM \(([\s\S]*)\) g;$/
const branchForm = new RegExp(`^\\s*SELECT (?:DISTINCT )?([\\s\\S]+?)\\n\\s+FROM (?:public\\.)?(${name})(?: ${name})?(?:\\n\\s+WHERE ([^\\n]+))?\\s*$`)
const columnForm = new RegExp(`^(?:${name}\\.)?(${name})(?: AS ${name})?$`)
const namedForm = new RegExp(`(${name})$`)

/** By table, the columns that name people and keys; empty if the relation is not of the form. `definition`: `pg_get_viewdef` of `select g.* from (relation) g`. */
export function inferBy(definition: string, tables: readonly Table[]): By {
  const branches =
    outer
      .exec(definition)?.[1]
      ?.split(/\n\s*UNION(?: ALL)?\n/)
      .map(branchOf) ?? []
  const names = branches[0]?.items.map((item) => plain(namedForm.exec(item)?.[1])) ?? []
  // A text with a comma and a line's end in it was taken apart.
  if (!names.every((one) => ['user', 'key', 'role', 'until'].includes(one))) return new Map()
  const by = new Map<string, { user: string[]; key: string[] }>()
  for (const branch of branches) {
    const table = tables.find((one) => one.table === branch?.table)
    if (branch === null || table === undefined || branch.items.length !== names.length) return new Map()
    const columnAt = (position: number) => {
      const column = plain(columnForm.exec(branch.items[position] ?? '')?.[1])
      return table.types.get(column) ? [column] : []
    }
    const found = { user: columnAt(names.indexOf('user')), key: columnAt(names.indexOf('key')) }
    by.set(table.table, both(by.get(table.table), found))
  }
  return by
}

/** Two branches over one table: only what both of them name is certain. */
function both(a: { user: string[]; key: string[] } | undefined, b: { user: string[]; key: string[] }) {
  const merged = (one: string[], other: string[]) => (one.length === 0 || other.length === 0 ? [] : [...new Set([...one, ...other])])
  return a === undefined ? b : { user: merged(a.user, b.user), key: merged(a.key, b.key) }
}

function branchOf(text: string): { readonly table: string; readonly items: readonly string[] } | null {
  const [, list = '', table = '', where = ''] = branchForm.exec(text) ?? []
  const items = list.split(/,\n\s+/)
  return table !== '' && [...items, where].every(isOfItsRow) ? { table: plain(table), items } : null
}

/** Neither a subquery nor a function, which could read other rows. */
const isOfItsRow = (expression: string) => !/\bSELECT\b/i.test(expression) && !/[\w"]\(/.test(expression) && !expression.includes('\n')

const plain = (quotedName = '') => (quotedName.startsWith('"') ? quotedName.slice(1, -1).replaceAll('""', '"') : quotedName)
