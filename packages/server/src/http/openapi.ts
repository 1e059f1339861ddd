// The OpenAPI 3.1 description of what a person can ask over HTTP, made of what the app has declared.
import type { Json } from '@headwater/protocol'
import { type ColumnDefinition, encodeValue, type Mutators, type Rules, type Schema, type TableDefinition, type WriteVerb } from '@headwater/schema'
import { limits } from '../limits.ts'
import { isOpen } from '../open.ts'
import { partlyShown } from '../sql/shown.ts'

type Members = { readonly [key: string]: Json }

/** `schema` is that of devices: what only the server has is not in it. What the rules allow nobody is left out. */
export function openapiOf(schema: Schema, access: Rules, mutators: Mutators): Members {
  const tables = Object.entries(schema.definitions)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Headwater',
      version: '1',
      description: 'Rows that a person may see, and changes that a person may make. Values are in their encoded form: see docs/http.md.',
    },
    paths: Object.fromEntries([
      ...tables.map(([name, table]) => [`/headwater/query/${name}`, { get: queryOperation(name, table) }]),
      ...tables.flatMap(([name, table]) =>
        verbsOf(access, name, table).map((verb) => [`/headwater/mutate/${name}.${verb}`, { post: mutateOperation(`${name}.${verb}`, ref(`${name}.${verb}`)) }]),
      ),
      ...Object.entries(mutators).map(([name, { args }]) => [`/headwater/mutate/${name}`, { post: mutateOperation(name, argsSchema(args)) }]),
    ]),
    components: {
      schemas: { ...Object.fromEntries(tables.flatMap(([name, table]) => tableSchemas(access, name, table))), ...shared },
      parameters,
      responses,
    },
  }
}

const verbsOf = (access: Rules, name: string, table: TableDefinition) =>
  (['insert', 'update', 'delete'] as const).filter((verb) => isOpen(access, name, table, verb, []))

function tableSchemas(access: Rules, name: string, table: TableDefinition): readonly (readonly [string, Json])[] {
  const { columns, key } = table
  const all = Object.entries(columns)
  const allowed = (verb: WriteVerb) =>
    Object.fromEntries(Object.entries(values).filter(([column]) => key.includes(column) || isOpen(access, name, table, verb, [column])))
  const values = Object.fromEntries(all.map(([column, definition]) => [column, valueSchema(definition)]))
  const keys = Object.fromEntries(key.map((column) => [column, values[column] ?? {}]))
  const required = all.filter(([, { isNullable, defaultValue }]) => !isNullable && defaultValue === undefined).map(([column]) => column)
  // A table's own column of this name keeps it.
  const expect: Members = Object.hasOwn(columns, 'expect') ? {} : { expect: { ...closed(values, []), description: 'What the row must be before.' } }
  return [
    [
      name,
      closed(
        values,
        Object.keys(columns).filter((column) => !partlyShown(table).includes(column)),
      ),
    ],
    [`${name}.insert`, closed(allowed('insert'), required)],
    [`${name}.update`, { ...closed({ ...allowed('update'), ...expect }, key), description: 'The key, and the columns that change.' }],
    [`${name}.delete`, closed({ ...keys, ...expect }, key)],
  ]
}

const closed = (properties: Members, required: readonly string[]): Members => ({ type: 'object', properties, required, additionalProperties: false })

/** The encoded form of a column's values (docs/decisions/0003-encoded-values.md). */
function valueSchema(column: ColumnDefinition): Members {
  const schema = plainSchema(column)
  const fallback = column.defaultValue === undefined ? {} : { default: encodeValue(column, column.defaultValue, 'default') }
  return { ...(column.isNullable ? { anyOf: [schema, { type: 'null' }] } : schema), ...fallback }
}

function plainSchema(column: ColumnDefinition): Members {
  switch (column.type) {
    case 'text':
      return { type: 'string', ...(column.lengthMax !== undefined && { maxLength: column.lengthMax }) }
    case 'enumeration':
      return { type: 'string', enum: column.values ?? [] }
    case 'uuid':
      return { type: 'string', format: 'uuid' }
    case 'integer':
      return { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }
    case 'bigint':
      return { type: 'string', pattern: '^-?\\d{1,19}$' }
    case 'numeric':
      return { type: 'string', pattern: '^(-?\\d+(\\.\\d+)?|NaN|-?Infinity)$' }
    case 'float':
      return { anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity', '-0'] }] }
    case 'boolean':
      return { type: 'boolean' }
    case 'timestamp':
      return { type: 'string', description: 'In UTC, as 2026-11-21T03:43:43.123456Z, or infinity, -infinity.' }
    case 'date':
      return { type: 'string', description: 'As 2026-11-21, or infinity, -infinity.' }
    case 'bytes':
      return { type: 'string', contentEncoding: 'base64' }
    case 'array':
      return { type: 'array', items: column.element ? plainSchema(column.element) : {} }
    // A reference has the type of the key that it refers to since defineSchema.
    case 'json':
    case 'reference':
      return {}
  }
}

/** By the JSON Schema part of the Standard Schema interface, where a validator has it, as Zod 4 does. */
function argsSchema(args: object): Json {
  // The interface is asked for, not relied on: what is missing or fails is said.
  const { jsonSchema } = (args as { readonly '~standard'?: { readonly jsonSchema?: { input(options: { target: string }): Members } } })['~standard'] ?? {}
  try {
    if (jsonSchema !== undefined) return jsonSchema.input({ target: 'draft-2020-12' })
  } catch {
    return { description: 'The validator of this mutator cannot be said in JSON Schema.' }
  }
  return { description: 'The validator of this mutator does not offer a JSON Schema.' }
}

const ref = (name: string): Members => ({ $ref: `#/components/schemas/${name}` })
const content = (schema: Json): Members => ({ 'application/json': { schema } })

function mutateOperation(name: string, args: Json): Members {
  return {
    operationId: `mutate.${name}`,
    tags: ['mutate'],
    parameters: [{ $ref: '#/components/parameters/idempotencyKey' }],
    requestBody: { required: true, content: content(args) },
    responses: {
      200: { description: 'Applied: committed.', content: content(ref('headwater.applied')) },
      409: { description: 'Refused for good: it met what others did (conflict, unique).', content: content(ref('headwater.refused')) },
      422: {
        description: 'Refused for good, or the key was used before with another payload (mismatch).',
        content: { ...content(ref('headwater.refused')), 'application/problem+json': { schema: ref('headwater.problem') } },
      },
      ...problems,
    },
  }
}

function queryOperation(name: string, { columns }: TableDefinition): Members {
  const asked = Object.entries(columns).filter(([column, { type }]) => type !== 'json' && type !== 'array' && !words.includes(column))
  return {
    operationId: `query.${name}`,
    tags: ['query'],
    parameters: [
      ...words.map((word) => ({ $ref: `#/components/parameters/${word}` })),
      ...asked.map(([column, definition]) => ({ name: column, in: 'query', description: 'Equal to this.', schema: plainSchema(definition) })),
    ],
    responses: {
      200: {
        description: 'The rows that the person may see. `after` names the place behind the last one; null: there are no more.',
        content: content(closed({ rows: { type: 'array', items: ref(name) }, after: { type: ['string', 'null'] } }, ['rows', 'after'])),
      },
      ...problems,
    },
  }
}

const words = ['where', 'orderBy', 'limit', 'after']

const parameters: Members = {
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: true,
    description: 'One per change, a uuid for example. Sent again with the same payload, the answer is the same, and nothing is done twice.',
    schema: { type: 'string', minLength: 1, maxLength: limits.idempotencyKeyLengthMax },
  },
  where: {
    name: 'where',
    in: 'query',
    description:
      'A JSON object: per column a value, null, or tests by operator: eq, ne, lt, lte, gt, gte, in, contains, startsWith. Beside columns `or` and `and` with a list of such objects, and `not` with one.',
    schema: { type: 'string' },
  },
  orderBy: {
    name: 'orderBy',
    in: 'query',
    description: 'Columns, each with .desc or not, separated by commas. The key comes last by itself.',
    schema: { type: 'string' },
  },
  limit: { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: limits.queryRowsMax, default: limits.queryRowsDefault } },
  after: { name: 'after', in: 'query', description: '`after` of the page before, with the same where and orderBy.', schema: { type: 'string' } },
}

const problems: Members = Object.fromEntries([400, 401, 403, 404, 429, 503].map((status) => [status, { $ref: '#/components/responses/problem' }]))
const responses: Members = {
  problem: { description: 'Problem details (RFC 9457).', content: { 'application/problem+json': { schema: ref('headwater.problem') } } },
}

const string: Members = { type: 'string' }
const nullableString: Members = { type: ['string', 'null'] }
const shared: Members = {
  'headwater.applied': closed({ type: { const: 'applied' }, id: string }, ['type', 'id']),
  'headwater.refused': closed({ type: { const: 'refused' }, id: string, code: nullableString, reason: nullableString }, ['type', 'id', 'code', 'reason']),
  'headwater.problem': {
    type: 'object',
    properties: { type: string, title: string, status: { type: 'integer' }, code: string, detail: string, hint: string },
    required: ['type', 'title', 'status', 'code', 'detail', 'hint'],
  },
}
