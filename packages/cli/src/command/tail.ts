import { setTimeout as wait } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'
import { type LogRow, openLogReader } from '@headwater/server'
import { defineCommand } from 'citty'
import { appArgs, appFolder, openFor } from '../app.ts'
import { paint } from '../paint.ts'

const pollMs = 150

export const tail = defineCommand({
  meta: { name: 'tail', description: 'Shows what is committed, as it is committed: every change, by whom, from where.' },
  args: {
    ...appArgs,
    last: { type: 'string', default: '10', description: 'how many earlier rows to show first' },
    table: { type: 'string', description: 'only this table, by its SQL name' },
    once: { type: 'boolean', description: 'show the earlier rows and stop' },
    json: { type: 'boolean', description: 'one line of JSON per row' },
  },
  run: async ({ args }) => {
    const last = Number(args.last)
    if (!Number.isInteger(last) || last < 0) throw new HeadwaterError('usage', `${args.last} is not a count.`, 'Give --last a number from 0.')
    const database = await openFor(appFolder(args.app, args.data), args.database)
    const abort = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort())
    // Whoever reads from a pipe may leave.
    process.stdout.on('error', () => abort.abort())
    try {
      const reader = await openLogReader(database, last)
      while (!abort.signal.aborted) {
        const rows = await reader.next()
        for (const row of rows) if (args.table === undefined || row.table === args.table) process.stdout.write(`${args.json ? jsonOf(row) : lineOf(row)}\n`)
        if (args.once) break
        await wait(pollMs, null, { signal: abort.signal }).catch(() => {})
      }
    } finally {
      await database.close()
    }
  },
})

const verbs = { i: 'insert', u: 'update', d: 'delete', t: 'truncate', m: 'mutation', g: 'changed', j: 'jobs', b: 'barrier', s: 'session' } as const

function lineOf(row: LogRow): string {
  const who = row.actor === null ? paint('yellow', row.sessionUser ?? 'somebody') : paint('cyan', row.actor)
  const key = row.key === null ? '' : ` ${row.op === 'm' ? row.key : keyOf(row.key)}`
  return `${paint('dim', row.at.slice(11, 23))} ${verbs[row.op].padEnd(8)} ${paint('bold', row.table ?? '')}${key} ${paint('dim', 'by')} ${who}${whatOf(row)}`
}

const keyOf = (key: string) => JSON.parse(key).join(' ')

/** What changed, in as many words as fit a line. */
function whatOf(row: LogRow): string {
  if (row.op === 'm') return `  ${JSON.parse(row.new ?? '{}').outcome}`
  const now: Readonly<Record<string, unknown>> = JSON.parse(row.new ?? '{}')
  if (row.op === 'u') {
    const old: Readonly<Record<string, unknown>> = JSON.parse(row.old ?? '{}')
    return `  ${Object.keys(old)
      .map((column) => `${column}: ${short(old[column])} ${paint('dim', '→')} ${short(now[column])}`)
      .join(', ')}`
  }
  return row.op === 'i'
    ? `  ${Object.entries(now)
        .map(([column, value]) => `${column}: ${short(value)}`)
        .join(', ')
        .slice(0, 160)}`
    : ''
}

function short(value: unknown): string {
  // Control characters in somebody's text must not move a terminal's cursor.
  const text = JSON.stringify(value) ?? 'null'
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

const jsonOf = ({ seq, xid, hash: _, old, new: now, key, ...rest }: LogRow) =>
  JSON.stringify({ seq: String(seq), xid: String(xid), ...rest, key: parsed(key), old: parsed(old), new: parsed(now) })

const parsed = (text: string | null) => (text === null ? null : JSON.parse(text))
