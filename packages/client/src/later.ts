// What few devices need, or none while somebody waits: a chunk of its own, fetched on need.
export { forkOf, retry, setAside } from './outbox/aftermath.ts'
export { upgraded } from './outbox/upgrade.ts'
export { mend } from './store/mend.ts'
export { everything } from './store/snapshot.ts'
export { inTurns } from './store/turns.ts'
export { sweep } from './sync/sweep.ts'
export { createVerifying } from './sync/verify.ts'
