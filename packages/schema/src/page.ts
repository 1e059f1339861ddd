// What a server that makes pages hands to the page: rows of one person at one snapshot of the database, in the form in which they travel.
import type { Json } from '@headwater/protocol'
import { type Query, type QueryDefinition, queryOf, textOfQuery } from './query.ts'
import type { Schema, TableName } from './schema.ts'
import { mapped, type Row } from './table.ts'

/** JSON. Of one person: never to be kept where another's request could get it. */
export interface PageData {
  readonly user: string
  /** Which database, which past of it, and the snapshot in which all of it was read. */
  readonly database: string
  readonly history: string
  readonly snapshot: string
  readonly results: readonly PageResult[]
}

export interface PageResult {
  /** `textOfQuery` of what was asked. */
  readonly text: string
  readonly table: string
  /** By column, encoded. One that the person does not see is missing. */
  readonly rows: readonly Readonly<Record<string, Json>>[]
}

/** A query of a page: what `client.query` has, without a way to get rows. */
export type PageQuery<S extends Schema> = { readonly [T in TableName<S>]: Query<Row<S['tables'][T]>, object> }

/** The definitions of what is asked, by the functions that a component asks with. */
export function pageQueries<S extends Schema>(
  schema: S,
  ask: (query: PageQuery<S>) => readonly { readonly definition: QueryDefinition }[],
): readonly { readonly text: string; readonly definition: QueryDefinition }[] {
  // One query per table of the schema.
  const query = mapped(schema.definitions, (table, name) => queryOf(name, table, () => ({}))) as unknown as PageQuery<S>
  return ask(query).map(({ definition }) => ({ text: textOfQuery(definition), definition }))
}

/** The data as the text of a `<script type="application/json">`: nothing in a row ends the element. */
export const pageText = (data: PageData): string => JSON.stringify(data).replaceAll('<', '\\u003c')

/** For the response that has the data in it: no cache on the way, and none of the browser, gives it to anybody else. */
export const pageHeaders = { 'cache-control': 'private, no-store', vary: 'cookie, authorization' } as const
