import { blankLogRow as blank } from '../../packages/server/src/feed/log.ts'

/** For tests and benchmarks that make their own: of a transaction that there can be. */
export const blankLogRow: typeof blank = { ...blank, xid: 1n }
