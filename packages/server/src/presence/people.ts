import { limits as wire } from '@headwater/protocol'

/** Somebody who is here, as others hear of them. */
export interface Person {
  readonly user: string
  /** As JSON. */
  readonly value: string
}
/** By the id of the connection. Those who came first are first. */
export type People = ReadonlyMap<string, Person>

/** Those who are named: the first of them, each once. */
export function firstOf(people: Iterable<readonly [string, Person]>): People {
  const first = new Map<string, Person>()
  for (const [id, person] of people) {
    if (first.size === wire.presenceToldMax) break
    if (!first.has(id)) first.set(id, person)
  }
  return first
}

export interface Difference {
  readonly here: readonly (readonly [string, Person])[]
  readonly gone: readonly string[]
}

export const differenceOf = (before: People, after: People): Difference => ({
  here: [...after].filter(([id, { user, value }]) => before.get(id)?.value !== value || before.get(id)?.user !== user),
  gone: [...before.keys()].filter((id) => !after.has(id)),
})
