// A project of the seed as one readable text file: a head of `name: value` lines, then parts that begin with `@@`.
//
//   title: Invoice reader
//   @@ message ada
//   Read the totals from the PDF.
//   @@ file src/main.ts
//   export {}
import { directoriesOf, languageOf } from '../path.ts'
import { type Framework, frameworks, type ProjectStatus, statuses } from '../schema.ts'

export interface SeedProject {
  readonly title: string
  readonly description: string
  readonly framework: Framework
  readonly status: ProjectStatus
  readonly owner: string
  readonly members: readonly { readonly person: string; readonly role: string }[]
  readonly createdMinutesAgo: number
  readonly updatedMinutesAgo: number
  /** `author` is null for the assistant. */
  readonly messages: readonly { readonly author: string | null; readonly content: string }[]
  /** Directories before what lies in them. */
  readonly files: readonly SeedFile[]
}
export interface SeedFile {
  readonly path: string
  readonly type: 'file' | 'directory'
  readonly content: string
  readonly language: string | null
}

/** Reads one file of the seed. Throws an Error that names what is wrong in it. */
export function parseSeedFile(source: string): SeedProject {
  const [head = '', ...parts] = source.split(/^@@ /m)
  const field = readHead(head)
  const sections = parts.map(readSection)
  return {
    title: field('title'),
    description: field('description'),
    framework: oneOf(frameworks, field('framework')),
    status: oneOf(statuses, field('status')),
    owner: field('owner'),
    members: readMembers(field('members')),
    createdMinutesAgo: minutesOf(field('created')),
    updatedMinutesAgo: minutesOf(field('updated')),
    messages: sections
      .filter((section) => section.kind === 'message')
      .map(({ name, body }) => ({ author: name === 'assistant' ? null : name, content: body.trim() })),
    files: withDirectories(sections.filter((section) => section.kind === 'file')),
  }
}

function readHead(head: string): (name: string) => string {
  const values = new Map(head.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))
  return (name) => {
    const value = values.get(name)
    if (value === undefined) throw new Error(`The head has no line “${name}:”.`)
    return value
  }
}

interface Section {
  readonly kind: string
  readonly name: string
  readonly body: string
}

function readSection(part: string): Section {
  const end = part.indexOf('\n')
  const [kind = '', name = ''] = part.slice(0, end).split(' ')
  if ((kind !== 'message' && kind !== 'file') || name === '') throw new Error(`“@@ ${part.slice(0, end)}” is neither a message nor a file.`)
  return { kind, name, body: part.slice(end + 1) }
}

function withDirectories(sections: readonly Section[]): readonly SeedFile[] {
  const directories = new Set(sections.flatMap(({ name }) => directoriesOf(name)))
  return [
    ...[...directories].map((path) => ({ path, type: 'directory' as const, content: '', language: null })),
    ...sections.map(({ name, body }) => ({ path: name, type: 'file' as const, content: `${body.trimEnd()}\n`, language: languageOf(name) })),
  ]
}

/** `grace editor, linus viewer`; `-`: nobody. */
function readMembers(value: string): SeedProject['members'] {
  if (value === '-') return []
  return value.split(',').map((member) => {
    const [person = '', role = ''] = member.trim().split(' ')
    return { person, role }
  })
}

const minutesPerUnit = new Map([
  ['minutes', 1],
  ['hours', 60],
  ['days', 1_440],
])

function minutesOf(value: string): number {
  const [count, unit = ''] = value.split(' ')
  const minutes = Number(count) * (minutesPerUnit.get(unit) ?? Number.NaN)
  if (Number.isNaN(minutes)) throw new Error(`“${value}” is not a time such as “3 days”.`)
  return minutes
}

function oneOf<T extends string>(values: readonly T[], value: string): T {
  const found = values.find((one) => one === value)
  if (found === undefined) throw new Error(`“${value}” is not one of ${values.join(', ')}.`)
  return found
}
