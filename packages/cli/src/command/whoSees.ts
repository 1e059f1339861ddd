import { HeadwaterError } from '@headwater/protocol'
import { readKey, type Seer } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer } from '../answer.ts'
import { explaining, explainingArgs } from '../explaining.ts'
import { onLine, paint } from '../paint.ts'

export const whoSees = defineCommand({
  meta: { name: 'who-sees', description: 'Tells who sees a row: by which scope and role, until when, and which columns.' },
  args: {
    table: { type: 'positional', required: true, description: 'the table' },
    id: { type: 'positional', required: false, description: 'the key of the row, where it is one column' },
    key: { type: 'string', description: 'the key of the row: a=1,b=2 or JSON' },
    ...explainingArgs,
  },
  run: async ({ args }) => {
    const text = args.key ?? args.id
    if (text === undefined) throw new HeadwaterError('usage', 'Which row is not said.', `Give its key: headwater who-sees ${args.table} ID, or --key.`)
    const seers = await explaining(args, (explain, schema) => explain.whoSees(args.table, readKey(schema, args.table, text)))
    answer(args.json, seers, () => textOf(seers))
  },
})

function textOf(seers: readonly Seer[]): string {
  if (seers.length === 0) return 'nobody\n'
  const rows = seers.map(({ user, scope, role, until, columns }) =>
    [user, role, scope, until === null ? '' : `until ${until}`, columns === null ? '' : columns.join(', ')].map(onLine),
  )
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return `${rows
    .map((row) =>
      row
        .map((text, i) => paint(i === 0 ? 'bold' : 'dim', text.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')}\n`
}
