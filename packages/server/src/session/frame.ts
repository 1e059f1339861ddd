// A checkpoint as text. A row is encoded once per batch, and a whole frame once for all devices that get the same of it.
import { type Checkpoint, type Cursor, encode, type FailureCode, limits, type Outcome } from '@headwater/protocol'
import type { Change } from '../feed/net.ts'
import { type StreamKey, scopesWith } from '../feed/stream.ts'

export interface Parts {
  readonly cursor: Cursor
  readonly replace?: boolean
  readonly loads?: readonly number[]
  readonly left?: readonly StreamKey[]
  readonly joined?: readonly StreamKey[]
  readonly cleared?: readonly string[]
  readonly changes: readonly Change[]
  readonly outcomes: readonly Outcome[]
}

/** `holds` tells which streams the device holds after the checkpoint: a changed row that is in none of them goes. */
export function checkpointFrame(parts: Parts, holds: (stream: StreamKey) => boolean): string {
  const head: Omit<Checkpoint, 'tables' | 'grants' | 'more' | 'checks'> = {
    type: 'checkpoint',
    cursor: parts.cursor,
    replace: parts.replace ?? false,
    loads: parts.loads ?? [],
    left: scopesOf(parts.left ?? []),
    joined: scopesOf(parts.joined ?? []),
    outcomes: parts.outcomes,
  }
  return `${JSON.stringify(head).slice(0, -1)},"tables":${tablesText(parts.changes, parts.cleared ?? [], holds)}}`
}

const scopesOf = (streams: readonly StreamKey[]) => ({ granted: scopesWith(streams, 'eager'), held: scopesWith(streams, 'onDemand') })

function tablesText(changes: readonly Change[], cleared: readonly string[], holds: (stream: StreamKey) => boolean): string {
  const tables = new Map<string, { gone: string[]; put: string[] }>(cleared.map((table) => [table, { gone: [], put: [] }]))
  for (const change of changes) {
    const table = tables.get(change.table) ?? { gone: [], put: [] }
    tables.set(change.table, table)
    if (change.row !== null && change.after.some(holds)) table.put.push(change.row)
    else table.gone.push(change.key)
  }
  const texts = [...tables].map(
    ([name, { gone, put }]) => `${JSON.stringify(name)}:{"cleared":${cleared.includes(name)},"gone":[${gone.join(',')}],"put":[${put.join(',')}]}`,
  )
  return `{${texts.join(',')}}`
}

/** `rows`: encoded rows, joined by commas. */
export const loadFrame = (load: number, table: string, rows: string) => `{"type":"load","load":${load},"table":${JSON.stringify(table)},"rows":[${rows}]}`

export const failureFrame = (code: FailureCode, message: string, hint: string) =>
  encode({ type: 'failure', code, message: message.slice(0, limits.reasonLengthMax), hint: hint.slice(0, limits.hintLengthMax) })
