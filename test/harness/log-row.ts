import type { LogRow } from '../../packages/server/src/feed/log.ts'

/** A row of the log that says nothing yet: for tests and benchmarks that make their own. */
export const blankLogRow: Omit<LogRow, 'op' | 'table'> = {
  seq: 0n,
  xid: 1n,
  key: null,
  before: [],
  after: [],
  old: null,
  new: null,
  depth: 1,
  actor: null,
  at: '',
  sessionUser: null,
  hash: 0n,
}
