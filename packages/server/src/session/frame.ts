// A checkpoint as text. What many devices get of a batch is encoded once for all of them.
import { type Checkpoint, type Checksum, type Cursor, encode, type FailureCode, type Json, limits, type Outcome, type Roles } from '@headwater/protocol'
import { areSame, type Held, type Places, seenIn } from '../feed/columns.ts'
import type { Change } from '../feed/net.ts'
import { type StreamKey, scopesWith } from '../feed/stream.ts'

/** What of a checkpoint is a device's own. */
export interface Head {
  readonly cursor: Cursor
  readonly replace?: boolean
  readonly loads?: readonly number[]
  readonly left?: readonly StreamKey[]
  readonly joined?: readonly StreamKey[]
  readonly grants?: Roles | null
  /** See `Checkpoint`. */
  readonly more?: boolean | null
  readonly outcomes?: readonly Outcome[]
  readonly checks?: readonly Checksum[]
}

/** `tables`: what tablesText made. */
export function checkpointFrame(head: Head, tables: string): string {
  const message: Omit<Checkpoint, 'tables'> = {
    type: 'checkpoint',
    cursor: head.cursor,
    replace: head.replace ?? false,
    loads: head.loads ?? [],
    left: scopesOf(head.left ?? []),
    joined: scopesOf(head.joined ?? []),
    grants: head.grants ?? null,
    more: head.more ?? null,
    outcomes: head.outcomes ?? [],
    checks: head.checks ?? null,
  }
  // What is left out is written behind it.
  return `${encode(message as Checkpoint).slice(0, -1)},"tables":${tables}}`
}

/** Tables and, as one message, what those get of a batch who get nothing of their own. Made when first needed, and once. */
export interface Shared {
  /** True: nothing is to be told. */
  isEmpty(): boolean
  tables(): string
  frame(): Buffer
}

export function shared(cursor: Cursor, changes: readonly Change[], cleared: readonly string[], held: Held): Shared {
  let tables: string | null = null
  let frame: Buffer | null = null
  const made: Shared = {
    isEmpty: () => made.tables() === noTables,
    tables: () => {
      tables ??= tablesText(changes, cleared, held)
      return tables
    },
    frame: () => {
      frame ??= Buffer.from(checkpointFrame({ cursor }, made.tables()))
      return frame
    },
  }
  return made
}

export const noTables = '{}'

const scopesOf = (streams: readonly StreamKey[]) => ({ granted: scopesWith(streams, 'eager'), held: scopesWith(streams, 'onDemand') })

interface TableText {
  readonly gone: string[]
  readonly put: string[]
  /** By their places. */
  readonly parts: Map<string, string[]>
}

/**
 * Changes as those get them who hold these streams after the batch: a row that is in none of them goes, and what alters nothing that they
 * see is left out.
 */
export function tablesText(changes: readonly Change[], cleared: readonly string[], held: Held): string {
  const tables = new Map<string, TableText>(cleared.map((table) => [table, emptyTable()]))
  for (const change of changes) {
    const after = change.row === null ? undefined : seenIn(change.table, change.after, held)
    if (after !== undefined && isNothing(change, seenIn(change.table, change.before, held), after)) continue
    const table = tables.get(change.table) ?? emptyTable()
    tables.set(change.table, table)
    add(table, change, after)
  }
  return `{${[...tables].map(([name, table]) => `${JSON.stringify(name)}:${textOf(table, cleared.includes(name))}`).join()}}`
}

const emptyTable = (): TableText => ({ gone: [], put: [], parts: new Map() })

/** True if who saw `before` of the row and sees `after` of it sees no difference. */
const isNothing = ({ changed }: Change, before: Places | undefined, after: Places): boolean =>
  changed !== null && areSame(before, after) && !(after === null ? changed.size > 0 : after.some((place) => changed.has(place)))

function add(table: TableText, change: Change, seen: Places | undefined): void {
  if (change.row === null || seen === undefined) table.gone.push(change.key)
  else if (seen === null) table.put.push(change.row)
  else {
    // Our own encoder wrote it: an array of the values of all columns.
    const values = JSON.parse(change.row) as readonly Json[]
    const places = JSON.stringify(seen)
    const rows = table.parts.get(places) ?? []
    table.parts.set(places, rows)
    rows.push(JSON.stringify(seen.map((place) => values[place] ?? null)))
  }
}

function textOf({ gone, put, parts }: TableText, isCleared: boolean): string {
  const texts = [...parts].map(([places, rows]) => `{"columns":${places},"put":[${rows.join()}]}`)
  return `{"cleared":${isCleared},"gone":[${gone.join()}],"put":[${put.join()}]${texts.length > 0 ? `,"parts":[${texts.join()}]` : ''}}`
}

/** `rows`: encoded rows, joined by commas. */
export const loadFrame = (load: number, table: string, columns: Places, rows: string, mark: string | null, total: number | null) =>
  `${JSON.stringify({ type: 'load', load, table, columns, mark, total }).slice(0, -1)},"rows":[${rows}]}`

export const failureFrame = (code: FailureCode, message: string, hint: string) =>
  encode({ type: 'failure', code, message: message.slice(0, limits.reasonLengthMax), hint: hint.slice(0, limits.hintLengthMax) })
