import { HeadwaterError } from '@headwater/protocol'
import { type Adopted, type Adoption, adoptDatabase, adoptions, type Database, type IdentityFound, identify } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { type AppFolder, appArgs, appFolder, findRunning, loadConfig, openFor, type Running } from '../app.ts'
import { paint } from '../paint.ts'

export const identity = defineCommand({
  meta: { name: 'identity', description: 'Tells which database this is and whether a server would serve it; `adopt` says what it is.' },
  args: {
    action: { type: 'positional', required: false, description: 'adopt: decide what the database is' },
    as: {
      type: 'string',
      description: 'same: moved, or the right one; copy: another one from now on; restore: taken back on purpose; failover: it lost its end',
    },
    'instead-of': { type: 'string', description: 'the id of the database that stood there before, if this is another one' },
    state: { type: 'string', description: 'folder in which the server remembers (default: stateDirectory of the app, or .headwater)' },
    ...appArgs,
    ...jsonArg,
  },
  run: async ({ args }) => {
    const wanted = wantedOf(args.action, args.as)
    const app = appFolder(args.app, args.data)
    const state = args.state ?? (await stateOf(app))
    const database = await openFor(app, args.database)
    try {
      // What a running server has found is its own to say; seen through it, the database has another place.
      const running = args.database === undefined ? await findRunning(app) : null
      if (wanted === null) await show(database, running ?? state, args.json)
      else await adopt(database, wanted, args)
    } finally {
      await database.close()
    }
  },
})

function wantedOf(action: string | undefined, as: string | undefined): Adoption | null {
  if (action === undefined && as === undefined) return null
  const wanted = adoptions.find((one) => one === as)
  if (action === 'adopt' && wanted) return wanted
  const hint = `Run \`headwater identity\` to see it, or \`headwater identity adopt --as ${adoptions.join('|')}\`.`
  throw new HeadwaterError('usage', action === 'adopt' ? 'It is not said as what.' : `There is nothing to do that is called ${action ?? 'so'}.`, hint)
}

/** A configuration that cannot be read must not keep anybody from deciding. */
const stateOf = (app: AppFolder) =>
  loadConfig(app).then(
    ({ stateDirectory }) => stateDirectory ?? app.own,
    () => app.own,
  )

async function show(database: Database, at: string | Running, asJson: boolean | undefined): Promise<void> {
  const found = await (typeof at === 'string' ? identify(database, at) : identifyRunning(database, at))
  answer(asJson, found, () => textOf(found))
}

async function identifyRunning(database: Database, { url }: Running): Promise<IdentityFound> {
  const found = await identify(database, null)
  const response = await fetch(new URL('/headwater/health', url))
  // A server's own answer, of this machine.
  const { held } = (await response.json()) as { readonly held?: NonNullable<IdentityFound['finding']>['kind'] | null }
  const finding = held
    ? {
        kind: held,
        message: `The server at ${url} found it ${held}; its output says why.`,
        hint: `Run \`headwater identity adopt --as ${adoptions.join('|')}\`.`,
      }
    : null
  return { ...found, place: null, finding }
}

function textOf({ database, history, place, before, finding }: IdentityFound): string {
  const line = (name: string, value: string) => `${paint('dim', name.padEnd(10))}  ${value}`
  return `${[
    line('database', database ?? 'none: no server was ever started on it'),
    line('history', history ?? '-'),
    line('place', place ?? '-'),
    line('remembered', before ? `${before.database} at ${before.place}` : 'nothing'),
    ...(finding ? ['', `${paint('red', 'held')}  ${finding.message}`, `      ${finding.hint}`] : [line('', paint('green', 'a server would serve it'))]),
  ].join('\n')}\n`
}

async function adopt(
  database: Database,
  wanted: Adoption,
  args: { readonly 'instead-of'?: string | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const adopted = await adoptDatabase(database, wanted, args['instead-of'] ?? null)
  answer(args.json, adopted, () => `${meant[wanted](adopted)} Servers that wait go on within seconds; start those that ended.\n`)
}

const meant: Readonly<Record<Adoption, (adopted: Adopted) => string>> = {
  same: ({ database }) => `This is the database ${database}, here.`,
  copy: ({ database }) => `This is another database from now on: ${database}. Jobs that waited in it are set aside.`,
  restore: ({ history }) => `It was taken back: history ${history}. Devices load again, keep their outbox, and show what is gone.`,
  failover: ({ history }) => `It took over: history ${history}. Devices load again, and offer what they had confirmed and it has lost.`,
}
