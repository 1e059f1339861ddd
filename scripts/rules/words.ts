// One word per idea. `docs/WORDS.md` has the table; its last column holds, in backticks, the words that are wrong everywhere here,
// and those this rule looks for: in names, comments and documents.
import { type Finding, lineAt, type SourceFile } from './finding.ts'

/** A word to avoid and the one to say in its place. */
export interface AvoidedWord {
  readonly avoid: string
  readonly say: string
}

/** Files that must name what is to be avoided. */
const exceptions = /^(docs\/WORDS\.md|docs\/decisions\/|AGENTS\.md|LICENSE|package-lock\.json|scripts\/rules|.*\.(json|svg|png|css)$)/

/** The words of the table's last column. Throws if there is none: then the table has lost its form, and nothing would be checked. */
export function avoidedWords(table: string): readonly AvoidedWord[] {
  const rows = table.split('\n').filter((line) => line.startsWith('|'))
  const words = rows.flatMap((row) => {
    const cells = row.split('|').map((cell) => cell.trim())
    return Array.from((cells[4] ?? '').matchAll(/`([^`]+)`/g), (match) => ({ avoid: match[1] ?? '', say: cells[1] ?? '' }))
  })
  if (words.length === 0) throw new Error('docs/WORDS.md has no words in the last column of its table.')
  return words
}

export function checkWords({ path, text }: SourceFile, words: readonly AvoidedWord[]): readonly Finding[] {
  if (exceptions.test(path)) return []
  return words.flatMap(({ avoid, say }) =>
    Array.from(text.matchAll(patternOf(avoid)), (match) => ({
      path,
      line: lineAt(text, match.index),
      what: `the word "${match[0]}"`,
      why: `Here it is called ${say} (docs/WORDS.md).`,
    })),
  )
}

/** `dead letter` finds dead letter, deadLetter, dead_letters and DeadLetter, but nothing that merely contains the letters. */
function patternOf(word: string): RegExp {
  const [first = '', ...rest] = word.toLowerCase().split(' ')
  const start = `(?:(?<![A-Za-z])${either(first)}|(?<=[a-z])${upper(first)})`
  const following = rest.map((part) => `(?:[ _-]?${part}|${upper(part)})`).join('')
  return new RegExp(`${start}${following}s?(?![a-z])`, 'g')
}

const upper = (part: string) => part.charAt(0).toUpperCase() + part.slice(1)
const either = (part: string) => `[${part.charAt(0)}${part.charAt(0).toUpperCase()}]${part.slice(1)}`
