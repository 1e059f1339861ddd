import type { QueryDefinition } from '@headwater/schema'
import type { Rows } from '../api.ts'
import type { Row } from './row.ts'

/** Rows that are looked at between two looks at the clock: half a millisecond, about. */
const pieceRows = 250

export function* inPieces<T>(all: Iterable<T>): Iterable<readonly T[]> {
  let piece: T[] = []
  for (const one of all) {
    piece.push(one)
    if (piece.length < pieceRows) continue
    yield piece
    piece = []
  }
  if (piece.length > 0) yield piece
}

/** The rows as they are when it is called, each with no more of it than those who ask look at: undefined, all of it; null, all of it, and nothing is kept. */
export function piecesOf(rows: Rows, asked: readonly (QueryDefinition | undefined)[] | null): Iterable<readonly Row[]> {
  if (rows.pieces) return rows.pieces(asked)
  const all: Row[] = []
  rows.forEach((row, _key) => all.push(row), null)
  return inPieces(all)
}
