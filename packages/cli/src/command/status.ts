import { type DatabaseStatus, readStatus } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder, findRunning, openFor } from '../app.ts'
import { paint } from '../paint.ts'

export const status = defineCommand({
  meta: { name: 'status', description: 'Tells which database this is and what it holds.' },
  args: {
    ...appArgs,
    ...jsonArg,
  },
  run: async ({ args }) => {
    const app = appFolder(args.app, args.data)
    const running = await findRunning(app)
    const database = await openFor(app, args.database)
    try {
      const found = await readStatus(database)
      const server = args.database === undefined ? (running?.url ?? null) : null
      answer(args.json, { ...found, server }, () => textOf(found, server))
    } finally {
      await database.close()
    }
  },
})

function textOf({ database, log, tables, troubles, withheld, devices, mutations, servers }: DatabaseStatus, server: string | null): string {
  const width = Math.max(10, ...Object.keys(tables).map((name) => name.length))
  const line = (name: string, value: string | number) => `${paint('dim', name.padEnd(width))}  ${value}`
  return `${[
    line('database', `${database.id}  PostgreSQL ${database.version}`),
    line('history', database.history),
    line('server', server ?? paint('yellow', 'not running here')),
    ...servers.map(({ host, pid, version, startedAt, devices: connected }) =>
      line('', `${host} ${pid}, version ${version}, since ${startedAt}, ${connected} devices`),
    ),
    line('log', logText(log)),
    line('devices', devices),
    line('mutations', `${mutations.applied} applied, ${mutations.refused} refused`),
    '',
    ...Object.entries(tables).map(([name, rows]) => line(name, `${rows} rows`)),
    ...withheld.map(({ table, key, bytes }) => line(table, paint('yellow', `${key} reaches no device: ${bytes} bytes`))),
    ...Object.entries(troubles).map(([name, trouble]) => line(name, paint('red', `cannot be served: ${trouble}`))),
  ].join('\n')}\n`
}

function logText({ rows, bytes, oldest, prunedAt, heldBy }: DatabaseStatus['log']): string {
  const minute = (time: string) => time.slice(0, 16).replace('T', ' ')
  const size = `${rows} rows, ${(bytes / 1_048_576).toFixed(1)} MB`
  const since = oldest === null ? '' : `, since ${minute(oldest)} UTC`
  const pruned = prunedAt === null ? '' : `, pruned ${minute(prunedAt)}`
  return `${size}${since}${pruned}${heldBy === null ? '' : paint('yellow', `, held by ${heldBy}`)}`
}
