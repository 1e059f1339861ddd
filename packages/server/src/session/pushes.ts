import { HeadwaterError, type Mutation, limits as wire } from '@headwater/protocol'
import { limits } from '../limits.ts'
import { isRecorded, type MutateDeps, runMutation, type Sender } from '../mutate/run.ts'

export interface Pushes {
  /** Throws `too-large` when more waits than a device may have under way. */
  add(mutations: readonly Mutation[]): void
  /** How many wait for those before them. */
  waiting(): number
  /** Resolves when nothing is under way. What waits is dropped once the sender has gone: the device sends it again. */
  idle(): Promise<void>
}

/** Carries out one device's mutations, one after the other, in the order of their numbers. `onBroken` ends the connection. */
export function createPushes(deps: MutateDeps, sender: Sender, onCommitted: () => void, onBroken: (error: unknown) => void): Pushes {
  const waiting: Mutation[] = []
  let running: Promise<void> | null = null

  async function run(): Promise<void> {
    for (let mutation = waiting.shift(); mutation !== undefined && sender.isThere(); mutation = waiting.shift()) {
      const ran = await runMutation(deps, sender, mutation)
      if (isRecorded(ran)) onCommitted()
      if (ran === 'mismatch')
        throw new HeadwaterError(
          'forked',
          `Mutation ${mutation.number} was sent before with another payload.`,
          'The store of this device was copied. It takes a new id.',
        )
      if (ran === 'unknown')
        throw new HeadwaterError('unavailable', `This server does not know ${mutation.name} yet.`, 'It waits on the device until a newer server is there.')
      if (ran === 'gap')
        throw new HeadwaterError(
          'forked',
          `Mutation ${mutation.number} is not the next one of this device.`,
          'The device takes a new id and sends what is not confirmed.',
        )
    }
  }

  return {
    add: (mutations) => {
      if (waiting.length + mutations.length > limits.mutationsWaitingMax) {
        throw new HeadwaterError('too-large', `More than ${limits.mutationsWaitingMax} mutations wait.`, `Send at most ${wire.mutationsInFlightMax} ahead.`)
      }
      waiting.push(...mutations)
      running ??= run()
        .catch(onBroken)
        .finally(() => {
          running = null
        })
    },
    waiting: () => waiting.length,
    idle: async () => {
      while (running) await running
    },
  }
}
