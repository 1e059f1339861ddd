// Three-way merge of text. Invariant: what either side wrote into `base` is in the answer, or the answer is null; nothing is chosen and nothing is dropped.
import { diff3Merge } from 'node-diff3'

/** Work grows with the product of what is compared: beyond this, a merge is not tried. */
const comparedMax = 4_000_000

/**
 * `base` with what both sides made of it; null where they changed the same place differently. Lines are merged; where two sides changed one line, or lines that
 * touch, its words are.
 */
export function mergeText(base: string, theirs: string, mine: string): string | null {
  if (mine === base || mine === theirs) return theirs
  if (theirs === base) return mine
  return mergePieces(base, theirs, mine, linesOf, (lineBase, lineTheirs, lineMine) => mergePieces(lineBase, lineTheirs, lineMine, wordsOf, () => null))
}

type Merge = (base: string, theirs: string, mine: string) => string | null

function mergePieces(base: string, theirs: string, mine: string, piecesOf: (text: string) => string[], whereBoth: Merge): string | null {
  const [o, a, b] = [piecesOf(base), piecesOf(theirs), piecesOf(mine)]
  if (o.length * Math.max(a.length, b.length) > comparedMax) return null
  let merged = ''
  for (const region of diff3Merge(a, o, b, { excludeFalseConflicts: true })) {
    const text = region.conflict ? whereBoth(region.conflict.o.join(''), region.conflict.a.join(''), region.conflict.b.join('')) : (region.ok ?? []).join('')
    if (text === null) return null
    merged += text
  }
  return merged
}

/** Lines with their ends, so that a last line without one is told from one with it. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+/g) ?? []

/** Words, spaces, and each other character by itself. */
const wordsOf = (text: string): string[] => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? []
