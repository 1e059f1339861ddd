export type {
  Ask,
  Asking,
  Client,
  ClientOptions,
  DeviceQuery,
  Eviction,
  LiveQuery,
  LiveValue,
  Mutate,
  MutationState,
  Outcome,
  PendingMutation,
  Result,
  ResultState,
  ScopeHandle,
  SetAside,
  Status,
  TableMutations,
} from './api.ts'
export { createClient } from './client.ts'
export type { Chance, Clock, Disk, DiskRecord, Network, OpenDisk, OpenSocket, Ports, Socket, SocketEvents } from './ports.ts'
export { leastRecentlyUsed } from './sync/eviction.ts'
