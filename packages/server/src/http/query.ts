import { HeadwaterError, type Json, type UserId } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { limits } from '../limits.ts'
import type { Database } from '../ports.ts'
import { selectStatement } from '../sql/select.ts'
import { partlyShown } from '../sql/shown.ts'
import { pageOf } from './page.ts'
import { problem } from './problem.ts'

interface QueryDeps {
  readonly database: Database
  readonly schema: Schema
  readonly grants: Grants
  readonly troubles: () => ReadonlyMap<string, string>
}

/** The rows of a table that the person may see, by column in their encoded form. Those of others are as if they were not there. */
export async function query({ database, schema, grants, troubles }: QueryDeps, user: UserId, name: string, text: string): Promise<Response> {
  const table = Object.hasOwn(schema.definitions, name) ? schema.definitions[name] : undefined
  if (table === undefined) throw problem(404, 'not-found', 'There is no such table.', 'GET /headwater/openapi.json names those that there are.')
  if (troubles().has(name)) throw problem(503, 'unavailable', `Table ${name} cannot be read now.`, 'The database is to be migrated.', { retryMs: 10_000 })
  if (text.length > limits.queryTextLengthMax) throw problem(414, 'too-large', `The query has more than ${limits.queryTextLengthMax} characters.`)
  const { asked, statement } = prepared(() => {
    const asked = pageOf(name, table, new URLSearchParams(text))
    return { asked, statement: selectStatement(table, asked.query, grants, user) }
  })
  const found = await database.transaction('read', async (transaction) => {
    await transaction.query(`select set_config('statement_timeout', $1, true)`, [String(limits.requestMsMax)])
    return transaction.query(statement.text, statement.parameters)
  })
  const partly = partlyShown(table)
  // Encoded values in the order of the columns, and which of the partly shown ones the person sees.
  const rows = found.slice(0, asked.limit).map((one) => ({
    values: listOf(one.row),
    hidden: one.shown === undefined ? [] : hiddenOf(partly, listOf(one.shown)),
  }))
  const last = found.length > asked.limit ? rows.at(-1) : undefined
  const columns = Object.keys(table.columns)
  return Response.json({
    // A column that the person does not see of this row is not null: it is not there, as on a device.
    rows: rows.map(({ values, hidden }) =>
      Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null] as const).filter(([column]) => !hidden.includes(column))),
    ),
    after: last === undefined ? null : asked.placeBehind(last.values),
  })
}

const hiddenOf = (partly: readonly string[], shown: readonly Json[]) => partly.filter((_, i) => shown[i] !== true)

// Our own SQL made it.
const listOf = (text: unknown) => JSON.parse(String(text)) as readonly Json[]

/** What cannot be asked is the asker's to mend. */
function prepared<T>(prepare: () => T): T {
  try {
    return prepare()
  } catch (error) {
    const isAsked = error instanceof HeadwaterError && ['query', 'invalid', 'corrupt'].includes(error.code) && error.details.status === undefined
    throw isAsked ? problem(400, 'query', error.message, 'docs/http.md has the form of values and operators.') : error
  }
}
