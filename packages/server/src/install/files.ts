// An app's own migrations: numbered SQL files in a folder, each once.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import type { SqlRow } from '../ports.ts'

export interface MigrationFile {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly hash: string
}

/** In order. Throws `migration` for a name that has no number, and for a number that is there twice. A folder that is not there has none. */
export function readMigrationFiles(folder: string): readonly MigrationFile[] {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.sql')) : []
  const files = names.map((name) => {
    const number = /^(\d{1,15})[-_.]/.exec(name)?.[1]
    if (number === undefined) throw failure(`${name} has no number.`, 'Name it like 0001-add-stars.sql: files run in the order of their numbers.')
    const text = readFileSync(join(folder, name), 'utf8')
    return { number: Number(number), name, text, hash: createHash('sha256').update(text).digest('hex') }
  })
  files.sort((a, b) => a.number - b.number)
  for (const [i, { number, name }] of files.entries()) {
    const before = files[i - 1]
    if (before?.number === number) throw failure(`${before.name} and ${name} have the same number.`, 'Give one of them the next free one.')
  }
  return files
}

/** Those that were not run yet. `done`: rows of headwater.app_migrations. Throws `migration` for one that was changed after it was run. */
export function pendingOf(files: readonly MigrationFile[], done: readonly SqlRow[]): readonly MigrationFile[] {
  const hashes = new Map(done.map(({ number, hash }) => [Number(number), String(hash)]))
  for (const { number, name, hash } of files) {
    if (hashes.has(number) && hashes.get(number) !== hash)
      throw failure(`${name} was changed after it had been run here.`, 'Put it back as it was, and write a new file for what is to be different.')
  }
  return files.filter(({ number }) => !hashes.has(number))
}

/** A statement after which something may be gone. */
export interface Destructive {
  readonly file: string
  readonly line: number
  readonly statement: string
}

/** Statements of a file that take away tables, columns, rows or parts of values, and DO, of which nobody knows. */
export function destructiveIn({ name, text }: MigrationFile): readonly Destructive[] {
  const blank = blanked(text)
  const found: Destructive[] = []
  let from = 0
  for (const statement of blank.split(';')) {
    if (patterns.some((pattern) => pattern.test(statement))) {
      const start = from + statement.search(/\S/)
      found.push({
        file: name,
        line: text.slice(0, start).split('\n').length,
        statement: text
          .slice(start, from + statement.length)
          .replace(/\s+/g, ' ')
          .slice(0, 120),
      })
    }
    from += statement.length + 1
  }
  return found
}

const patterns = [
  /^\s*drop\s+(?!index|trigger|function|procedure|policy|rule|cast|operator|aggregate|role|user)/i,
  /\balter\s+table\b[\s\S]*\bdrop\s+(?!constraint\b|default\b|not\s+null\b|identity\b|expression\b)/i,
  /\balter\s+table\b[\s\S]*\balter\b[\s\S]*\btype\b/i,
  /^\s*truncate\b/i,
  /\bdelete\s+from\b/i,
  /^\s*do\b/i,
]

/** The same length, with blanks for comments and for what is quoted. */
function blanked(text: string): string {
  const parts = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$[A-Za-z_]*\$)[\s\S]*?\1/g
  return text.replace(parts, (part) => part.replace(/[^\n]/g, ' '))
}

const failure = (message: string, hint: string) => new HeadwaterError('migration', message, hint)
