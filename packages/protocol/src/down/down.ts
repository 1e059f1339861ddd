import { type Checkpoint, checkpoint } from './checkpoint.ts'
import { type Denied, denied } from './denied.ts'
import { type Failure, failure } from './failure.ts'
import { type Load, load } from './load.ts'
import { type Pong, pong } from './pong.ts'
import { type Welcome, welcome } from './welcome.ts'

/** Everything a server says. */
export type Down = Welcome | Load | Checkpoint | Denied | Pong | Failure
export const downShapes = { welcome, load, checkpoint, denied, pong, failure }
