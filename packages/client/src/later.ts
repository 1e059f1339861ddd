// What few devices need, or none while somebody waits: a chunk of its own, fetched on need.
export { dependantsOf, lostOf, retry } from './outbox/aftermath.ts'
export { snapshotRecords } from './store/snapshot.ts'
