import { HeadwaterError } from './error.ts'
import { type Json, unstorable, unstorableText } from './json.ts'
import * as limits from './limits.ts'

/** A shape checks a value that came from outside, once, and gives it its type. `form` says as data what it demands; the forms of all messages are pinned by a test. */
export interface Shape<T> {
  readonly form: Form
  readonly check: (value: unknown, path: string) => T
}
export type Infer<S> = S extends Shape<infer T> ? T : never

type AnyShape = Shape<unknown>
type Fields = Readonly<Record<string, AnyShape>>
export type Form =
  | string
  | { readonly nullable: AnyShape }
  | { readonly list: AnyShape; readonly lengthMax: number }
  | { readonly map: AnyShape }
  | { readonly fields: Fields }

export function malformed(path: string, expected: string): never {
  throw new HeadwaterError('malformed', `${path || 'the message'} is not ${expected}`)
}

/** A shape without others in it: `holds` must be true of every value of the type, and of no other. */
/* @__NO_SIDE_EFFECTS__ */
const leaf = <T>(form: string, holds: (value: unknown) => boolean): Shape<T> => ({
  form,
  // What makes it a T is what `holds` says.
  check: (value, path) => (holds(value) ? (value as T) : malformed(path, `a ${form}`)),
})

/** A text that PostgreSQL can store: ids and names become parameters of statements, which fail on a NUL or a lone surrogate. What a branded id means is checked where it is used. */
/* @__NO_SIDE_EFFECTS__ */
export const text = <T extends string = string>(lengthMax: number) =>
  leaf<T>(`text(${lengthMax})`, (value) => typeof value === 'string' && value.length <= lengthMax && unstorableText(value) === null)

// Only numbers are safe integers.
export const count = leaf<number>('count', (value) => Number.isSafeInteger(value) && (value as number) >= 0)

export const flag = leaf<boolean>('flag', (value) => typeof value === 'boolean')

/** JSON of any form, within the depth limit and storable by PostgreSQL. */
export const json = leaf<Json>('json', (value) => unstorable(value, limits.jsonDepthMax) === null)

/** A row or a key: an array of encoded values in the order of the table's columns. Its values are checked by the schema that decodes them. */
export const tuple = leaf<readonly Json[]>('tuple', Array.isArray)

/* @__NO_SIDE_EFFECTS__ */
export const literal = <const T extends string>(...allowed: readonly T[]) => leaf<T>(allowed.join('|'), (value) => allowed.some((one) => one === value))

/* @__NO_SIDE_EFFECTS__ */
export const nullable = <T>(shape: Shape<T>): Shape<T | null> => ({
  form: { nullable: shape },
  check: (value, path) => (value === null ? null : shape.check(value, path)),
})

/* @__NO_SIDE_EFFECTS__ */
export const list = <T>(shape: Shape<T>, lengthMax: number): Shape<readonly T[]> => ({
  form: { list: shape, lengthMax },
  check: (value, path) => items(value, path, lengthMax).map((item, i) => shape.check(item, `${path}[${i}]`)),
})

/** Rows or keys, as `list(tuple)`: a load has a hundred thousand, so that the list is not copied, and no path is made for what is right. */
/* @__NO_SIDE_EFFECTS__ */
export const tuples = (lengthMax: number): Shape<readonly (readonly Json[])[]> => ({
  form: { list: tuple, lengthMax },
  check: (value, path) => {
    for (const item of items(value, path, lengthMax)) if (!Array.isArray(item)) malformed(path, 'a list of arrays')
    // Seen one by one; and what JSON.parse made holds nothing but JSON.
    return value as readonly (readonly Json[])[]
  },
})

/** A Map, and not an object, where keys come from outside. */
/* @__NO_SIDE_EFFECTS__ */
export const map = <T>(shape: Shape<T>): Shape<ReadonlyMap<string, T>> => ({
  form: { map: shape },
  check: (value, path) => new Map(Object.entries(members(value, path)).map(([key, item]) => [key, shape.check(item, `${path}.${key}`)])),
})

/** Members that a shape does not name are dropped: a newer peer may send more. */
/* @__NO_SIDE_EFFECTS__ */
export const object = <F extends Fields>(fields: F): Shape<{ readonly [K in keyof F]: Infer<F[K]> }> => ({
  form: { fields },
  check: (value, path) => {
    const source = members(value, path)
    const checked: Record<string, unknown> = {}
    for (const key in fields) checked[key] = fields[key]?.check(source[key], path ? `${path}.${key}` : key)
    // Every field was just checked by the shape its type is inferred from.
    return checked as { readonly [K in keyof F]: Infer<F[K]> }
  },
})

const items = (value: unknown, path: string, lengthMax: number): readonly unknown[] =>
  Array.isArray(value) && value.length <= lengthMax ? value : malformed(path, `a list of at most ${lengthMax}`)

function members(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) malformed(path, 'an object')
  // Object.entries and single reads only ever see own members of what JSON.parse made.
  return value as Readonly<Record<string, unknown>>
}
