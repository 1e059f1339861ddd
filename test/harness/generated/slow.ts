import type { Database } from '@headwater/server'
import type { Random } from './random.ts'

/**
 * The database, with a tail that takes its time: several transactions come in one batch, and loads read between them. Chance is used
 * whenever the tail is, so that a run with the same seed is alike and not the same.
 */
export function withSlowTail(database: Database, random: Random): Database {
  return {
    ...database,
    openTail: async () => {
      const tail = await database.openTail()
      return {
        ...tail,
        query: async (text, parameters) => {
          await new Promise((resolve) => setTimeout(resolve, random.int(30)))
          return tail.query(text, parameters)
        },
      }
    },
  }
}
