// Invariant: a mutation's record and its effects commit in one transaction, or neither does. What became of a try whose commit
// was not answered is read from the record, never guessed.
import { createHash } from 'node:crypto'
import { type DeviceId, HeadwaterError, type Mutation, type UserId, limits as wire } from '@headwater/protocol'
import { type Mutators, type Rules, type Schema, validate, type WriteVerb } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { limits } from '../limits.ts'
import type { Measures } from '../operations/measures.ts'
import type { Chance, Clock, Database, Statement } from '../ports.ts'
import { tableName } from '../sql/name.ts'
import { type Names, type Verdict, verdictOf } from './outcome.ts'
import { builtinStatement, createServerTx } from './tx.ts'

export interface MutateDeps {
  readonly database: Database
  /** What devices know. */
  readonly schema: Schema
  /** With the columns that only the server has. */
  readonly serverSchema: Schema
  readonly mutators: Mutators
  /** Run instead of the shared one of the same name, if there is one. */
  readonly serverMutators: Mutators
  readonly grants: Grants
  readonly access: Rules
  /** What an error text may name. */
  readonly names: Names
  readonly clock: Clock
  readonly chance: Chance
  /** Looks whether the tables fit the schema; true: all of them do. */
  readonly isFit: () => Promise<boolean>
  readonly onTrouble: (error: unknown) => void
  readonly measures: Measures
  /** False: the tail has lost the database. Nothing is written before it is known to be the same one. */
  readonly isLive: () => boolean
}

export interface Sender {
  /** null: it came over HTTP. There is no number, and the mutation's id alone keeps it from being carried out twice. */
  readonly device: DeviceId | null
  readonly user: UserId
  /** False once the device's connection is gone: then waiting ends, and the device will send again. */
  isThere(): boolean
}

/**
 * What became of a try to carry a mutation out. `repeated`: its record was in the database already. `mismatch`: the number was used before for
 * another payload; recorded as an incident. `gap`: numbers are missing before it. `gone`: given up, the sender has left. `unknown`: this
 * server is older than the app that made it; a newer one may know it.
 */
export type Ran = Recorded | 'mismatch' | 'gap' | 'gone' | 'unknown'
export type Recorded = 'applied' | 'refused' | 'repeated'

/** Whether its record is in the database. */
export const isRecorded = (ran: Ran): ran is Recorded => ran === 'applied' || ran === 'refused' || ran === 'repeated'

/** Carries out one mutation, at most once ever, with as many tries as it takes. Rejects only with bugs. */
export async function runMutation(deps: MutateDeps, sender: Sender, mutation: Mutation): Promise<Ran> {
  const beganAt = deps.clock.now()
  const ran = await tryUntilDone(deps, sender, mutation)
  if (isRecorded(ran)) deps.measures.mutation(ran, (deps.clock.now() - beganAt) / 1_000)
  return ran
}

async function tryUntilDone(deps: MutateDeps, sender: Sender, mutation: Mutation): Promise<Ran> {
  let races = 0
  let failures = 0
  let waitMs: number = limits.waitMsMin
  const changing = new Set<string>()
  for (;;) {
    const locks = races < limits.racesBeforeLocks ? [] : locksOf(changing)
    const verdict = await attempt(deps, sender, mutation, { locks, changing })
    if (verdict === null) return 'applied'
    if (verdict.type === 'refused') return settle(deps, sender, mutation, verdict.code, verdict.reason)
    if (verdict.type === 'misnumbered') return resolveNumber(deps, sender, mutation)
    if (verdict.type === 'repeated' && sender.device === null) return 'repeated'
    if (verdict.type === 'repeated') return settle(deps, sender, mutation, null, null)
    if (verdict.type === 'unknown') return postpone(deps, sender, mutation, verdict.reason)
    if (verdict.type === 'unexpected' && ++failures >= limits.failureRetriesMax) return settle(deps, sender, mutation, 'failed', verdict.reason)
    if (!sender.isThere()) return 'gone'
    if (verdict.type === 'race' && races++ < limits.raceRetriesMax) await pause(deps, limits.raceRetryMsMax * fraction(deps.chance))
    else {
      await pause(deps, waitMs)
      waitMs = Math.min(limits.waitMsMax, waitMs * 2)
    }
  }
}

interface Try {
  /** Statements that come before its snapshot is taken. */
  readonly locks: readonly Statement[]
  /** Gets the tables of which it changes rows, by their SQL names. */
  readonly changing: Set<string>
}

/**
 * A row that others write without a pause is never as a snapshot has it: who waited in line for the row has lost when its turn comes. A lock of the table is got in
 * turn as well, and takes no snapshot; others' writes then wait for this one mutation. Where somebody has the table for long, nobody is to stand in line behind us.
 */
function locksOf(tables: ReadonlySet<string>): readonly Statement[] {
  const locks = [...tables].sort().map((table) => `lock table ${table} in share row exclusive mode`)
  const texts = locks.length === 0 ? [] : [`set local lock_timeout = ${limits.lockMsMax}`, ...locks, 'set local lock_timeout to default']
  return texts.map((text) => ({ text, parameters: [] }))
}

async function attempt(deps: MutateDeps, sender: Sender, mutation: Mutation, one: Try): Promise<Verdict | null> {
  if (!deps.isLive()) return { type: 'wait' }
  try {
    await carryOut(deps, sender, mutation, one)
    return null
  } catch (error) {
    const verdict = await waitingFor(deps, error, verdictOf(error, deps.names))
    if (verdict.type === 'unexpected' || verdict.type === 'wait') deps.onTrouble(error)
    return verdict
  }
}

/** A statement that the tables do not understand may be no fault of the mutation: it waits for tables that fit the schema. */
async function waitingFor({ isFit }: MutateDeps, error: unknown, verdict: Verdict): Promise<Verdict> {
  const isOfTables = verdict.type === 'unexpected' && error instanceof HeadwaterError && String(error.details.sqlstate).startsWith('42')
  return isOfTables && !(await isFit()) ? { type: 'wait' } : verdict
}

async function carryOut(deps: MutateDeps, sender: Sender, mutation: Mutation, { locks, changing }: Try): Promise<void> {
  const { schema, access, grants, database } = deps
  if (!uuidPattern.test(mutation.id)) throw new HeadwaterError('invalid', 'The id of a mutation is not a uuid.', 'Make it with client.id().')
  const begin = beginStatement(sender, mutation)
  const end = endStatement(sender, mutation, { outcome: 'applied', code: null, reason: null, isFirst: true })
  if (mutation.name === 'void') throw new HeadwaterError('refused', 'It was discarded on the device.', '', { code: 'void' })
  let writes = 0
  const onWrite = (name: string, verb: WriteVerb) => {
    if (++writes > limits.mutationWritesMax) throw tooManyWrites()
    if (verb !== 'insert') changing.add(tableName(name))
  }
  const writer = { schema, access, grants, user: sender.user, onWrite }
  const dot = mutation.name.indexOf('.')
  const builtin = dot < 0 ? null : builtinStatement(writer, mutation.name.slice(0, dot), mutation.name.slice(dot + 1), mutation.args)
  if (builtin !== null) {
    await database.batch([...locks, begin, builtin, end])
    return
  }
  const isOwn = Object.hasOwn(deps.serverMutators, mutation.name)
  const mutators = isOwn ? deps.serverMutators : deps.mutators
  const mutator = Object.hasOwn(mutators, mutation.name) ? mutators[mutation.name] : undefined
  if (mutator === undefined) throw unknownMutator(mutation.name)
  const args: unknown = validate(mutator.args, mutation.args, mutation.name)
  await database.transaction('write', async (transaction) => {
    for (const { text, parameters } of [...locks, begin]) await transaction.query(text, parameters)
    await mutator.run(createServerTx(writer, mutation, transaction, isOwn ? deps.serverSchema : null), args)
    await transaction.query(end.text, end.parameters)
  })
}

/** Stores the outcome of a mutation without effects: a refusal, or (code null) a copy of what it came to under another number. */
async function settle(deps: MutateDeps, sender: Sender, mutation: Mutation, code: string | null, reason: string | null): Promise<Ran> {
  const statements = code === null ? copyStatements(sender, mutation) : refusalStatements(sender, mutation, code, reason ?? '')
  let waitMs: number = limits.waitMsMin
  for (;;) {
    try {
      await deps.database.batch(statements)
      return code === null ? 'repeated' : 'refused'
    } catch (error) {
      const verdict = verdictOf(error)
      if (verdict.type === 'misnumbered') return resolveNumber(deps, sender, mutation)
      if (verdict.type === 'refused') throw error
      if (verdict.type === 'repeated' && sender.device === null) return 'repeated'
      if (code !== null && verdict.type === 'repeated') return settle(deps, sender, mutation, null, null)
      deps.onTrouble(error)
      if (!sender.isThere()) return 'gone'
      await pause(deps, waitMs)
      waitMs = Math.min(limits.waitMsMax, waitMs * 2)
    }
  }
}

/** Waits for a server that knows the mutation: here, and then on whichever the device connects to next. After so many tries it is refused. */
async function postpone(deps: MutateDeps, sender: Sender, mutation: Mutation, reason: string): Promise<Ran> {
  if (sender.device === null) return 'unknown'
  await pause(deps, limits.unknownWaitMs)
  if (!sender.isThere()) return 'gone'
  const rows = await deps.database.query(
    `update headwater.devices set unknown_number = $2::text::bigint, unknown_tries = case when unknown_number = $2::text::bigint then unknown_tries + 1 else 1 end
       where id = $1 and user_id = $3 returning unknown_tries as tries`,
    [sender.device, String(mutation.number), sender.user],
  )
  return Number(rows[0]?.tries) < limits.unknownTriesMax ? 'unknown' : settle(deps, sender, mutation, 'unknown-mutator', reason)
}

/** The number is not the next one. Carried out before with the same payload: done. Otherwise something is wrong with the device's store. */
async function resolveNumber(deps: MutateDeps, { device, user }: Sender, mutation: Mutation): Promise<Ran> {
  const rows = await deps.database.query(
    `select d.last_number::text as last, m.payload_hash as hash, m.id, m.name from headwater.devices d
       left join headwater.mutations m on m.device = d.id and m.number = $3::text::bigint where d.id = $1 and d.user_id = $2`,
    [device, user, String(mutation.number)],
  )
  if (rows[0] === undefined || Number(rows[0].last) < mutation.number) return 'gap'
  const { hash, id, name } = rows[0]
  if (hash === null || hash === payloadHash(mutation)) return 'repeated'
  // Discarded after it was carried out, or carried out no more after it was discarded: what was decided first stands.
  if (id === mutation.id && (mutation.name === 'void' || name === 'void')) return 'repeated'
  await deps.database.query(`insert into headwater.incidents (kind, device, detail) values ('mismatch', $1, $2)`, [
    device,
    `number ${mutation.number} came with another payload`,
  ])
  return 'mismatch'
}

function beginStatement({ device, user }: Sender, { number, id }: Mutation): Statement {
  return {
    text: 'select headwater.begin_mutation($1, $2::text::bigint, $3, $4)::text',
    parameters: [device, device === null ? null : String(number), id, user],
  }
}

interface Ending {
  readonly outcome: 'applied' | 'refused'
  readonly code: string | null
  readonly reason: string | null
  readonly isFirst: boolean
}

function endStatement({ device, user }: Sender, mutation: Mutation, { outcome, code, reason, isFirst }: Ending): Statement {
  return {
    text: 'select headwater.end_mutation($1, $2::text::bigint, $3, $4, $5, $6, $7, $8, $9, $10)::text',
    parameters: [
      device,
      device === null ? null : String(mutation.number),
      mutation.id,
      user,
      mutation.name,
      device === null ? repeatableHash(mutation) : payloadHash(mutation),
      outcome,
      cut(code, wire.nameLengthMax),
      cut(reason, wire.reasonLengthMax),
      isFirst,
    ],
  }
}

const refusalStatements = (sender: Sender, mutation: Mutation, code: string, reason: string): readonly Statement[] => [
  beginStatement(sender, mutation),
  endStatement(sender, mutation, { outcome: 'refused', code, reason, isFirst: true }),
]

/** The guard without its look for the same mutation, and the first outcome under this number. */
function copyStatements({ device, user }: Sender, mutation: Mutation): readonly Statement[] {
  const take = `select headwater.take_number($1, $2::text::bigint, $3)::text`
  const copy = `select headwater.end_mutation($1, $2::text::bigint, m.id, $3, m.name, $5, m.outcome, m.code, m.reason, false)::text
    from headwater.mutations m where m.user_id = $3 and m.id = $4 and m.is_first`
  return [
    { text: take, parameters: [device, String(mutation.number), user] },
    { text: copy, parameters: [device, String(mutation.number), user, mutation.id, payloadHash(mutation)] },
  ]
}

/** What a number stands for: sent again, the payload must be the same to the letter. */
const payloadHash = ({ id, name, args, at }: Mutation) =>
  createHash('sha256')
    .update(JSON.stringify([id, name, args, at]))
    .digest('hex')

/** Over HTTP the time is this server's own, and another one for each try. */
export const repeatableHash = (mutation: Mutation) => payloadHash({ ...mutation, at: '' })

/** An app's reason may be of any length and hold half a character; what the database and the wire take is neither. */
const cut = (text: string | null, lengthMax: number) => (text === null ? null : Buffer.from(text.replaceAll('\0', '').slice(0, lengthMax)).toString())

const pause = ({ clock }: MutateDeps, ms: number) => new Promise<void>((resolve) => clock.timer(ms, resolve))
const fraction = (chance: Chance) => (chance.bytes(1)[0] ?? 0) / 255

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const tooManyWrites = () =>
  new HeadwaterError('refused', `It writes more than ${limits.mutationWritesMax} rows.`, 'Write them in several mutations, or with SQL.', { code: 'too-large' })

const unknownMutator = (name: string) =>
  new HeadwaterError('unknown-mutator', `The server does not know ${name}.`, 'Deploy the server before the app that uses it.')
