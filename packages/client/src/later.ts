// What few devices need, or none while somebody waits: a chunk of its own, fetched on need.
export { dependantsOf, forkOf, retry } from './outbox/aftermath.ts'
export { mend } from './store/mend.ts'
export { everything } from './store/snapshot.ts'
export { sweep } from './sync/sweep.ts'
export { createVerifying } from './sync/verify.ts'
