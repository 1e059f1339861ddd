import { HeadwaterError, type UserId } from '@headwater/protocol'
import type { Query } from './query.ts'
import type { Schema, TableName } from './schema.ts'
import type { StandardSchema } from './standard.ts'
import type { Insert, Key, Row, Update } from './table.ts'

/** How a mutator gets rows: it sees its own writes and, on the device, those of pending mutations. */
export interface Reading<R> {
  all(): Promise<readonly R[]>
  first(): Promise<R | undefined>
}

export interface Writing<T> {
  /** Refused with `unique` if the key exists. */
  insert(row: Insert<T>): Promise<void>
  /** Writes the named columns only. Refused with `absent` if there is no such row that this person may change. */
  update(row: Update<T>): Promise<void>
  /** Deleting what is not there is no error: twice is as good as once. */
  delete(key: Key<T>): Promise<void>
}

/** What a mutator works with. It may await these and nothing else: on the device everything settles before the next frame. */
export type Tx<S extends Schema = Schema> = { readonly [T in TableName<S>]: Writing<S['tables'][T]> } & {
  readonly query: { readonly [T in TableName<S>]: Query<Row<S['tables'][T]>, Reading<Row<S['tables'][T]>>> }
  /** The person whose mutation this is. */
  readonly user: UserId
  /** A new uuid, the same on the device and on the server. */
  id(): string
  /** When the mutation was made, by the device's clock: the same on both sides, and only as right as that clock. */
  now(): string
}

export interface Mutator<S extends Schema, Args> {
  readonly args: StandardSchema<Args>
  readonly run: (tx: Tx<S>, args: Args) => Promise<void>
  /** True: never carried out again by itself. Where a database lost what it had confirmed, the person decides. */
  readonly once?: boolean | undefined
}
// biome-ignore lint/suspicious/noExplicitAny: a bound; each mutator's own arguments are kept
export type Mutators<S extends Schema = any> = Readonly<Record<string, Mutator<S, any>>>
export type ArgsOf<M> = M extends { readonly args: StandardSchema<infer Args> } ? Args : never

/**
 * One mutator: what it takes (any Standard Schema validator, Zod for example) and what it does. `once`: what it does has effects that the database cannot
 * take back, such as a payment. After a failover that lost it, it is set aside on the device and not offered again.
 */
export const mutator = <S extends Schema, Args>(
  args: StandardSchema<Args>,
  run: (tx: Tx<S>, args: Args) => Promise<void>,
  { once }: Pick<Mutator<S, Args>, 'once'> = {},
): Mutator<S, Args> => ({ args, run, once })

/** The app's own mutations. Each runs on the device at once and on the server for good. `schema` is there for the types. */
export const defineMutators = <S extends Schema, const M extends Mutators<S>>(_schema: S, mutators: M): M => mutators

/** Ends a mutator for good: nothing of it stays, and the person is told why. `code` is for programs, `reason` for people. */
export function refuse(code: string, reason: string): never {
  throw new HeadwaterError('refused', reason, '', { code })
}

/** The nth id made by a mutation: its own uuid, moved on. Distinct for every n below 2^40, and across mutations as random as their uuids. */
export function derivedId(mutation: string, n: number): string {
  const step = 0x9e3779b97f4bn
  const tail = (BigInt(`0x${mutation.slice(24)}`) + BigInt(n) * step) & 0xffffffffffffn
  return mutation.slice(0, 24) + tail.toString(16).padStart(12, '0')
}
