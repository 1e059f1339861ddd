import { type Hello, hello } from './hello.ts'
import { type Hold, hold } from './hold.ts'
import { type Ping, ping } from './ping.ts'
import { type Push, push } from './push.ts'
import { type Release, release } from './release.ts'

/** Everything a device says. */
export type Up = Hello | Push | Hold | Release | Ping
export const upShapes = { hello, push, hold, release, ping }
