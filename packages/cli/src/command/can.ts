import { HeadwaterError } from '@headwater/protocol'
import { type Explained, type Part, type Reason, readKey } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer } from '../answer.ts'
import { explaining, explainingArgs } from '../explaining.ts'
import { onLine, paint } from '../paint.ts'

export const can = defineCommand({
  meta: { name: 'can', description: 'Tells whether a person may write a row, and why. Exit code: 0 allowed, 1 denied, 2 it could not be told.' },
  args: {
    user: { type: 'positional', required: true, description: 'the person, as authenticate names them' },
    verb: { type: 'positional', required: true, description: 'insert, update or delete' },
    table: { type: 'positional', required: true, description: 'the table' },
    id: { type: 'positional', required: false, description: 'the key of the row, where it is one column' },
    key: { type: 'string', description: 'the key of the row: a=1,b=2 or JSON; for an insert, all that the row is given' },
    columns: { type: 'string', description: 'the columns of an update: a,b (default: all that a device may write)' },
    ...explainingArgs,
  },
  run: async ({ args }) => {
    // Until it is known, it could not be told: 1 would say that it is denied.
    process.exitCode = 2
    const text = args.key ?? args.id
    if (text === undefined)
      throw new HeadwaterError('usage', 'Which row is not said.', `Give its key: headwater can ${args.user} ${args.verb} ${args.table} ID, or --key.`)
    const columns = args.columns?.split(',').map((column) => column.trim())
    const explained = await explaining(args, ({ can: ask }, schema) => ask(args.user, args.verb, args.table, readKey(schema, args.table, text), columns))
    const sentence = `${args.user} may${explained.allowed ? '' : ' not'} ${args.verb} ${args.table} ${text}`
    answer(args.json, explained, () => textOf(explained, sentence, args.user))
    process.exitCode = explained.allowed ? 0 : 1
  },
})

function textOf({ allowed, because }: Explained, sentence: string, user: string): string {
  const lines = because.flatMap((reason) => [`${mark(reason.isFulfilled)}${questionOf(reason)}`, ...partLines(reason.part, user, 1), ''])
  return `${[`${allowed ? paint('green', 'allowed') : paint('red', 'denied')}: ${sentence}`, '', ...lines].join('\n').trimEnd()}\n`
}

const questionOf = ({ asked, columns }: Reason) =>
  paint('bold', asked === 'see' ? 'to see the row' : columns.length > 0 ? `to write ${columns.join(', ')}` : 'to write the row')

/** A rule, what it found, and below it its parts. */
function partLines(part: Part, user: string, depth: number): readonly string[] {
  const line = `${'  '.repeat(depth)}${mark(part.value)}${onLine(part.rule)}${paint('dim', onLine(foundText(part, user)))}`
  return [line, ...part.parts.flatMap((inner) => partLines(inner, user, depth + 1))]
}

const mark = (value: boolean | null) => (value === true ? paint('green', 'yes  ') : value === false ? paint('red', 'no   ') : paint('yellow', '?    '))

function foundText({ found, held, value }: Part, user: string): string {
  if (found !== null) return `  ${found.column} is ${found.value === null ? 'null' : JSON.stringify(found.value)}`
  if (held === null) return ''
  const has = held.scopes.map(({ scope, roles }) =>
    roles.length === 0 ? `${user} does not hold ${scope}` : `${user} holds ${scope} as ${roles.map(named).join(', ')}`,
  )
  const needed = value === true || held.needed === null || held.needed.length === 0 ? '' : `; needed: ${held.needed.map(named).join(' or ')}`
  return `  ${has.join('; ') || 'the row is in no such scope'}${needed}`
}

const named = (role: string) => (role === '' ? 'a role without a name' : role)
