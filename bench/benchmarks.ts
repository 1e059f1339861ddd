import { accessRules } from './benchmark/access.ts'
import { bigTransaction } from './benchmark/big-transaction.ts'
import { bulkInsert } from './benchmark/bulk-insert.ts'
import { capture } from './benchmark/capture.ts'
import { catchUp } from './benchmark/catch-up.ts'
import { coldStartChromium, coldStartNode } from './benchmark/cold-start.ts'
import { commitToVisible } from './benchmark/commit-to-visible.ts'
import { deviceMemory } from './benchmark/device-memory.ts'
import { drift } from './benchmark/drift.ts'
import { durableWriteNode } from './benchmark/durable-write.ts'
import { fanOut } from './benchmark/fan-out.ts'
import { firstLoad } from './benchmark/first-load.ts'
import { flushedCommits } from './benchmark/flushed-commits.ts'
import { frames } from './benchmark/frames.ts'
import { grants } from './benchmark/grants.ts'
import { liveQuery } from './benchmark/live-query.ts'
import { memory } from './benchmark/memory.ts'
import { mutationsEmbedded, mutationsNative } from './benchmark/mutations.ts'
import { opfs } from './benchmark/opfs.ts'
import { presence } from './benchmark/presence.ts'
import { queries } from './benchmark/queries.ts'
import { manyScopes } from './benchmark/scopes.ts'
import { size } from './benchmark/size.ts'
import { testApp } from './benchmark/test-app.ts'
import type { Figure } from './figure.ts'

/** Every benchmark by name, in the order in which they run. Each has a process of its own. */
export const benchmarks: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  'commit-to-visible': commitToVisible,
  'live-query': liveQuery,
  queries: queries,
  'mutations-native': mutationsNative,
  'mutations-embedded': mutationsEmbedded,
  access: accessRules,
  'flushed-commits': flushedCommits,
  'first-load': firstLoad,
  'catch-up': catchUp,
  'fan-out': fanOut,
  presence: presence,
  grants: grants,
  'many-scopes': manyScopes,
  'cold-start-node': coldStartNode,
  chromium: coldStartChromium,
  frames,
  opfs,
  'durable-write-node': durableWriteNode,
  'bulk-insert': bulkInsert,
  'big-transaction': bigTransaction,
  capture: capture,
  'test-app': testApp,
  drift: drift,
  memory: memory,
  'device-memory': deviceMemory,
  size: size,
}
