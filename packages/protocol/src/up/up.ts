import { type Hello, hello } from './hello.ts'
import { type Hold, hold } from './hold.ts'
import { type Ping, ping } from './ping.ts'
import { type Presence, presence } from './presence.ts'
import { type Push, push } from './push.ts'
import { type Release, release } from './release.ts'
import { type Repair, repair } from './repair.ts'
import { type Verify, verify } from './verify.ts'

/** Everything a device says. */
export type Up = Hello | Push | Hold | Release | Verify | Repair | Presence | Ping
export const upShapes = { hello, push, hold, release, verify, repair, presence, ping }
