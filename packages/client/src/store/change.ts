import type { Row } from './row.ts'

/** One row's net change in a batch, as it is seen: never twice the same object. */
export interface Change {
  readonly before: Row | null
  readonly after: Row | null
}

/** By table: what one batch did to what is seen. */
export type Batch = ReadonlyMap<string, readonly Change[]>
