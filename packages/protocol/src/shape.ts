import { HeadwaterError } from './error.ts'
import { type Json, unstorable, unstorableText } from './json.ts'
import { limits } from './limits.ts'

/** A shape checks a value that came from outside, once, and gives it its type. `name` describes it; the names of all messages are pinned by a test. */
export interface Shape<T> {
  readonly name: string
  readonly check: (value: unknown, path: string) => T
}
export type Infer<S> = S extends Shape<infer T> ? T : never

export function malformed(path: string, expected: string): never {
  throw new HeadwaterError('malformed', `${path} is not ${expected}`, 'The other side speaks another version, or the message was damaged on the way.')
}

/** A text that PostgreSQL can store: ids and names become parameters of statements, which fail on a NUL or a lone surrogate. */
export const text = <T extends string = string>(lengthMax: number): Shape<T> => ({
  name: `text(${lengthMax})`,
  check: (value, path) => {
    const isText = typeof value === 'string' && value.length <= lengthMax && unstorableText(value) === null
    // A branded id is a text of bounded length; what it means is checked where it is used.
    return isText ? (value as T) : malformed(path, `a storable text of at most ${lengthMax}`)
  },
})

export const count: Shape<number> = {
  name: 'count',
  // Only numbers are safe integers.
  check: (value, path) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : malformed(path, 'a count')),
}

export const flag: Shape<boolean> = {
  name: 'flag',
  check: (value, path) => (typeof value === 'boolean' ? value : malformed(path, 'true or false')),
}

/** JSON of any form, within the depth limit and storable by PostgreSQL. */
export const json: Shape<Json> = {
  name: 'json',
  check: (value, path) => {
    const why = unstorable(value, limits.jsonDepthMax)
    // unstorable() has walked the whole value.
    return why === null ? (value as Json) : malformed(path, `storable JSON: ${why}`)
  },
}

/** A row or a key: an array of encoded values in the order of the table's columns. Its values are checked by the schema that decodes them. */
export const tuple: Shape<readonly Json[]> = {
  name: 'tuple',
  // What JSON.parse made holds nothing but JSON.
  check: (value, path) => (Array.isArray(value) ? (value as readonly Json[]) : malformed(path, 'an array')),
}

export const literal = <const T extends string>(...allowed: readonly T[]): Shape<T> => ({
  name: allowed.join('|'),
  check: (value, path) => allowed.find((one) => one === value) ?? malformed(path, `one of ${allowed.join(', ')}`),
})

export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  name: `${shape.name}?`,
  check: (value, path) => (value === null ? null : shape.check(value, path)),
})

export const list = <T>(shape: Shape<T>, lengthMax: number): Shape<readonly T[]> => ({
  name: `[${shape.name}](${lengthMax})`,
  check: (value, path) =>
    Array.isArray(value) && value.length <= lengthMax
      ? value.map((item, i) => shape.check(item, `${path}[${i}]`))
      : malformed(path, `a list of at most ${lengthMax}`),
})

/** Rows or keys, as `list(tuple)`: a load has a hundred thousand, so that the list is not copied, and no path is made for what is right. */
export const tuples = (lengthMax: number): Shape<readonly (readonly Json[])[]> => ({
  name: `[${tuple.name}](${lengthMax})`,
  check: (value, path) => {
    if (!Array.isArray(value) || value.length > lengthMax) return malformed(path, `a list of at most ${lengthMax}`)
    const wrong = value.findIndex((item) => !Array.isArray(item))
    return wrong < 0 ? value : malformed(`${path}[${wrong}]`, 'an array')
  },
})

export const map = <T>(shape: Shape<T>): Shape<ReadonlyMap<string, T>> => ({
  name: `{*:${shape.name}}`,
  check: (value, path) => new Map(Object.entries(members(value, path)).map(([key, item]) => [key, shape.check(item, `${path}.${key}`)])),
})

type Fields = Readonly<Record<string, Shape<unknown>>>

/** Members that a shape does not name are dropped: a newer peer may send more. A Map, and not an object, where keys come from outside. */
export const object = <F extends Fields>(fields: F): Shape<{ readonly [K in keyof F]: Infer<F[K]> }> => ({
  name: `{${Object.entries(fields)
    .map(([key, shape]) => `${key}:${shape.name}`)
    .join(',')}}`,
  check: (value, path) => {
    const source = members(value, path)
    const checked: Record<string, unknown> = {}
    for (const key in fields) checked[key] = fields[key]?.check(source[key], path ? `${path}.${key}` : key)
    // Every field was just checked by the shape its type is inferred from.
    return checked as { readonly [K in keyof F]: Infer<F[K]> }
  },
})

function members(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) malformed(path || 'the message', 'an object')
  // Object.entries and single reads only ever see own members of what JSON.parse made.
  return value as Readonly<Record<string, unknown>>
}
