import { HeadwaterError } from './error.ts'
import { type Json, unstorable, unstorableText } from './json.ts'
import * as limits from './limits.ts'

/** What a value that comes from outside must be, as data. The shapes of all messages are pinned by a test. */
export type Shape<T> = Form & {
  /** Type only, never set. */
  readonly infer?: T
}
export type Infer<S> = S extends { readonly infer?: infer T } ? Exclude<T, undefined> : never

type AnyShape = Shape<unknown>
type Fields = Readonly<Record<string, AnyShape>>
type Form =
  /** `holds` is true of every value of the type, and of no other. */
  | { readonly type: 'leaf'; readonly name: string; readonly holds: (value: unknown) => boolean }
  | { readonly type: 'nullable'; readonly of: AnyShape }
  | { readonly type: 'list'; readonly of: AnyShape; readonly lengthMax: number }
  | { readonly type: 'map'; readonly of: AnyShape }
  | { readonly type: 'object'; readonly of: Fields }

/** A text that PostgreSQL can store: ids and names become parameters of statements, which fail on a NUL or a lone surrogate. What a branded id means is checked where it is used. */
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

/** A member that is missing is null: a peer that does not know it leaves it out. */
export const nullable = <T>(of: Shape<T>): Shape<T | null> => ({ type: 'nullable', of })

export const list = <T>(of: Shape<T>, lengthMax: number): Shape<readonly T[]> => ({ type: 'list', of, lengthMax })

/** A Map, and not an object, where keys come from outside. */
export const map = <T>(of: Shape<T>): Shape<ReadonlyMap<string, T>> => ({ type: 'map', of })

/** Members that a shape does not name are dropped: a newer peer may send more. */
export const object = <F extends Fields>(of: F): Shape<{ readonly [K in keyof F]: Infer<F[K]> }> => ({ type: 'object', of })

/* @__NO_SIDE_EFFECTS__ */
export function leaf<T>(name: string, holds: (value: unknown) => boolean): Shape<T> {
  return { type: 'leaf', name, holds }
}

/** The value, which has the shape. Throws `malformed` with the path of what has not. */
export function check<T>(shape: Shape<T>, value: unknown, path = ''): T {
  // Each case of `checked` answers what the constructor of its shape above promises.
  return checked(shape, value, path) as T
}

function checked(shape: AnyShape, value: unknown, path: string): unknown {
  switch (shape.type) {
    case 'leaf':
      return shape.holds(value) ? value : malformed(path, `a ${shape.name}`)
    case 'nullable':
      return value === null || value === undefined ? null : checked(shape.of, value, path)
    case 'list': {
      const { of, lengthMax } = shape
      if (!Array.isArray(value) || value.length > lengthMax) return malformed(path, `a list of at most ${lengthMax}`)
      // A load has a hundred thousand rows: they are not copied, and no path is made for what is right.
      if (of.type === 'leaf' && value.every(of.holds)) return value
      return value.map((item, i) => checked(of, item, `${path}[${i}]`))
    }
    case 'map':
      return new Map(Object.entries(members(value, path)).map(([key, item]) => [key, checked(shape.of, item, `${path}.${key}`)]))
    case 'object': {
      const source = members(value, path)
      const known: Record<string, unknown> = {}
      // Every key of the shape has a shape.
      for (const key in shape.of) known[key] = checked(shape.of[key] as AnyShape, source[key], path ? `${path}.${key}` : key)
      return known
    }
  }
}

function members(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) malformed(path, 'an object')
  // Object.entries and single reads only ever see own members of what JSON.parse made.
  return value as Readonly<Record<string, unknown>>
}

export function malformed(path: string, expected: string): never {
  throw new HeadwaterError('malformed', `${path || 'it'} is not ${expected}`)
}
