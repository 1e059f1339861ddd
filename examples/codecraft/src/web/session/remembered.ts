// What a device remembers of its person outside the store, so that the app opens offline: who it is, whom they know, and
// whether a sign-out made offline has still to be told to the server.
import { z } from 'zod'
import type { Person } from '../../people.ts'

export const personKey = 'codecraft:person'
const peopleKey = 'codecraft:people'
const traceKey = 'codecraft:trace'
const owedKey = 'codecraft:sign-out-owed'

const person = z.object({ id: z.string(), name: z.string(), email: z.string(), work: z.string() })

export interface Remembered {
  person(): Person | null
  setPerson(person: Person | null): void
  people(): readonly Person[]
  setPeople(people: readonly Person[]): void
  isSignOutOwed(): boolean
  setSignOutOwed(isOwed: boolean): void
  /** Whether sync is traced on this device. */
  isTraced(): boolean
  setTraced(isTraced: boolean): void
}

/** On the browser's storage; where that is blocked, nothing is remembered and the app works online. */
export function createRemembered(storage: Storage | null): Remembered {
  const read = <T>(key: string, shape: z.ZodType<T>): T | null => {
    try {
      return shape.parse(JSON.parse(storage?.getItem(key) ?? 'null'))
    } catch {
      // Edited by hand, or written by another version: as good as not remembered.
      return null
    }
  }
  const write = (key: string, value: unknown) => {
    try {
      if (value === null) storage?.removeItem(key)
      else storage?.setItem(key, JSON.stringify(value))
    } catch {
      // A full storage: the app goes on, and asks the server next time.
    }
  }
  return {
    person: () => read(personKey, person),
    setPerson: (value) => write(personKey, value),
    people: () => read(peopleKey, z.array(person)) ?? [],
    setPeople: (value) => write(peopleKey, value),
    isSignOutOwed: () => read(owedKey, z.boolean()) ?? false,
    setSignOutOwed: (isOwed) => write(owedKey, isOwed ? true : null),
    isTraced: () => read(traceKey, z.boolean()) ?? false,
    setTraced: (isTraced) => write(traceKey, isTraced ? true : null),
  }
}
