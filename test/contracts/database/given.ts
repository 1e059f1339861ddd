// What the parts of the suite have in common.
import type { Database } from '../../../packages/server/src/ports.ts'

export const names = async (database: Database) => (await database.query('select name from item order by id')).map((row) => row.name)
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A promise with its resolve. */
export function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}
