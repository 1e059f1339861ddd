export type {
  Aggregate,
  Aggregated,
  AggregateKind,
  Ask,
  Asking,
  Client,
  ClientOptions,
  DeviceQuery,
  Eviction,
  FirstPaint,
  LiveQuery,
  LiveValue,
  Mutate,
  MutationState,
  Outcome,
  PendingMutation,
  Related,
  Result,
  ResultState,
  ScopeHandle,
  SetAside,
  Shaping,
  Status,
  TableMutations,
  Upgrade,
  WithRelated,
} from './api.ts'
export { createClient } from './client.ts'
export { fromPage } from './paint/page.ts'
export { type LastScreenOptions, lastScreen } from './paint/screen.ts'
export type { Chance, Channel, Clock, Disk, DiskRecord, Network, OpenDisk, OpenSocket, Ports, Socket, SocketEvents, Tabs } from './ports.ts'
export { createPresence, type Gathering, type Person, type Presence, type PresenceHandle } from './presence/presence.ts'
export { avg, count, max, min, sum } from './store/group.ts'
export { packedRows } from './store/packing.ts'
export { many, one } from './store/related.ts'
export { leastRecentlyUsed } from './sync/eviction.ts'
export { createTrace, type Inspected, type Trace, type TraceEntry, type TraceOptions } from './trace/trace.ts'
export type { TraceKind } from './trace/words.ts'
