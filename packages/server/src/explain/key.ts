import type { Json } from '@headwater/protocol'
import type { ColumnDefinition, Schema, TableDefinition } from '@headwater/schema'
import type { Values } from './answer.ts'
import { checkColumns, tableOf, usage } from './row.ts'

/**
 * A row's values from what a person types: JSON of an object, `projectId=7,userId=ada`, or the value alone where the key is one column. Throws
 * `usage` for what is none of these, and for a table or column that there is not.
 */
export function readKey(schema: Schema, table: string, text: string): Values {
  const asked = tableOf(schema, table)
  const [column = '', ...more] = asked.table.key
  if (text.trimStart().startsWith('{')) return readJson(text)
  if (more.length === 0 && !text.startsWith(`${column}=`)) return { [column]: typed(asked.table, column, text) }
  const pairs = text.split(',').map((pair) => pair.split(/=(.*)/s))
  if (pairs.some(([, value]) => value === undefined))
    throw usage(
      `The key of ${asked.name} is ${asked.table.key.join(', ')}, which ${text} does not give.`,
      `Write ${asked.table.key.map((one) => `${one}=…`).join(',')}, or JSON.`,
    )
  const names = pairs.map(([name = '']) => name.trim())
  checkColumns(asked, names)
  return Object.fromEntries(pairs.map(([, value = ''], i) => [names[i], typed(asked.table, names[i] ?? '', value)]))
}

function readJson(text: string): Values {
  try {
    // It begins with a brace: what is read is an object.
    return JSON.parse(text) as Values
  } catch (error) {
    throw usage(`${text} is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Text as the value that a column's encoded form asks for. What is none stays text, and is refused where values are checked. */
function typed(table: TableDefinition, column: string, text: string): Json {
  const isPlain = (type: ColumnDefinition['type'] | undefined) => type === 'integer' || type === 'float' || type === 'boolean'
  return isPlain(table.columns[column]?.type) && /^(true|false|-?\d+(\.\d+)?)$/.test(text) ? JSON.parse(text) : text
}
