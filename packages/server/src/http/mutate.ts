// POST /headwater/mutate/:name. Invariant: what a key stands for is carried out at most once, and its outcome is read from its record (W2, W4, W5).
import { type Json, type Mutation, mutationId, type UserId } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { limits } from '../limits.ts'
import { uuidOf } from '../mutate/id.ts'
import { isRecorded, type MutateDeps, repeatableHash, runMutation } from '../mutate/run.ts'
import { readJson } from './body.ts'
import { problem, unavailable } from './problem.ts'

export interface MutateRequest {
  readonly user: UserId
  readonly name: string
  readonly request: Request
  /** False once nobody waits for the answer. */
  readonly isThere: () => boolean
}

/** Applied: 200; refused for good: 409 if it met what others did, else 422. Sent again with its key, the answer is the same. */
export async function mutate(deps: MutateDeps, { user, name, request, isThere }: MutateRequest): Promise<Response> {
  const key = keyOf(request.headers)
  const builtin = builtinOf(deps.schema, name)
  if (builtin === null && !Object.hasOwn(deps.mutators, name) && !Object.hasOwn(deps.serverMutators, name))
    throw problem(404, 'not-found', 'There is no such mutator.', 'GET /headwater/openapi.json names those that there are.')
  const body = await readJson(request)
  const mutation: Mutation = {
    number: 0,
    id: mutationId(uuidOf('http', user, key)),
    name,
    args: builtin === null ? body : builtinArgs(deps.schema, builtin, body),
    at: `${new Date(deps.clock.now()).toISOString().slice(0, -1)}000Z`,
  }
  const ran = await runMutation(deps, { device: null, user, isThere }, mutation)
  if (!isRecorded(ran)) throw unavailable()
  return answer(deps, user, mutation)
}

async function answer({ database }: MutateDeps, user: UserId, mutation: Mutation): Promise<Response> {
  const rows = await database.query('select payload_hash as hash, outcome, code, reason from headwater.mutations where user_id = $1 and id = $2 and is_first', [
    user,
    mutation.id,
  ])
  const row = rows[0]
  if (row === undefined) throw unavailable()
  if (row.hash !== repeatableHash(mutation)) {
    await database.query(`insert into headwater.incidents (kind, detail) values ('mismatch', $1)`, [`an idempotency key of ${user} came with another payload`])
    throw problem(422, 'mismatch', 'This Idempotency-Key was used before with another payload.', 'Use a new key for what is new.')
  }
  const { id } = mutation
  if (row.outcome === 'applied') return Response.json({ type: 'applied', id })
  const { code, reason } = row
  return Response.json({ type: 'refused', id, code, reason }, { status: code === 'conflict' || code === 'unique' ? 409 : 422 })
}

/** As text, or as the quoted text of the header's own draft. */
function keyOf(headers: Headers): string {
  const given = (headers.get('idempotency-key') ?? '').trim()
  const key = /^".*"$/.test(given) ? given.slice(1, -1) : given
  if (key === '' || key.length > limits.idempotencyKeyLengthMax || !/^[\x20-\x7e]*$/.test(key))
    throw problem(
      400,
      'idempotency-key',
      `There is no Idempotency-Key of 1 to ${limits.idempotencyKeyLengthMax} plain characters.`,
      'Make one per change, a uuid for example, and send it again with every repetition.',
    )
  return key
}

interface Builtin {
  readonly table: string
  readonly verb: string
}

function builtinOf({ definitions }: Schema, name: string): Builtin | null {
  const [table = '', verb = '', ...rest] = name.split('.')
  return rest.length === 0 && ['insert', 'update', 'delete'].includes(verb) && Object.hasOwn(definitions, table) ? { table, verb } : null
}

/** The row itself; of update and delete a member `expect` is what the row must be before, unless the table has a column of that name. */
function builtinArgs({ definitions }: Schema, { table, verb }: Builtin, body: Json): Json {
  const columns = definitions[table]?.columns ?? {}
  if (!isObject(body)) throw problem(400, 'invalid', `${table}.${verb} takes a row.`, 'Send an object with values by column.')
  const { expect, ...rest } = body
  const hasExpect = expect !== undefined && verb !== 'insert' && !Object.hasOwn(columns, 'expect')
  if (hasExpect && !isObject(expect)) throw problem(400, 'invalid', 'What is expected is not an object.', 'Send expect: { column: value }.')
  const row = hasExpect ? rest : body
  for (const column of [...Object.keys(row), ...(hasExpect && isObject(expect) ? Object.keys(expect) : [])]) {
    if (!Object.hasOwn(columns, column))
      throw problem(400, 'invalid', `${table} has no column of a name that was given.`, `It has ${Object.keys(columns).join(', ')}.`)
  }
  return hasExpect ? { row, expect } : { row }
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)
