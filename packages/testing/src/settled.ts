import { breathe } from '@headwater/client/node'
import { HeadwaterError } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import type { Device } from './device.ts'

type Followed = Device<Schema, Mutators>

/** Shorter than the five seconds that runners give a test by default: what is missing is said before they end it. */
export const settleMsMax = 4_000

/**
 * Resolves when the devices with a network have nothing that is not confirmed, are level with all that was committed, and nothing is
 * on its way between them and the server. `level`: the server has sent what was committed. Rejects with what is missing.
 */
export function settled(devices: () => readonly Followed[], level: () => Promise<void>, msMax: number): Promise<void> {
  return inTime(msMax, devices, async (isOver) => {
    const frames = () => devices().reduce((sum, device) => sum + device.frames(), 0)
    for (let before = -1; before !== frames() && !isOver(); ) {
      before = frames()
      await Promise.all(devices().filter(isFollowed).map(untilLevel))
      await level()
      await breathe()
    }
  })
}

/** Resolves when the device has read its disk and, with a network, is level. */
export const started = (device: Followed, msMax: number) =>
  inTime(
    msMax,
    () => [device],
    () => (device.isOnline() ? untilLevel(device) : device.client().ready),
  )

const isFollowed = (device: Followed) => device.isOnline() && !isClosed(device)
const isClosed = (device: Followed) => device.client().status.get().problem?.code === 'closed'

/** Follows the device's status. Rejects when it waits for what no retry brings. */
function untilLevel(device: Followed): Promise<void> {
  const { status } = device.client()
  return new Promise((resolve, reject) => {
    const look = () => {
      const { phase, pending, problem } = status.get()
      const isStuck = phase === 'stopped' || problem?.code === 'unauthenticated'
      if (!isStuck && device.isOnline() && (phase !== 'live' || pending > 0)) return
      unsubscribe()
      if (isStuck && problem) reject(new HeadwaterError(problem.code, `${device.name}: ${problem.message}`, problem.hint))
      else resolve()
    }
    const unsubscribe = status.subscribe(look)
    look()
  })
}

async function inTime(msMax: number, devices: () => readonly Followed[], run: (isOver: () => boolean) => Promise<void>): Promise<void> {
  let isOver = false
  let cancel = () => {}
  const late = new Promise<void>((_, reject) => {
    const timer = setTimeout(() => reject(notSettled(devices(), msMax)), msMax)
    cancel = () => clearTimeout(timer)
  })
  try {
    await Promise.race([run(() => isOver), late])
  } finally {
    isOver = true
    cancel()
  }
}

function notSettled(devices: readonly Followed[], msMax: number): HeadwaterError {
  const states = devices.filter(isFollowed).map((device) => {
    const { phase, pending, problem } = device.client().status.get()
    return `${device.name} is ${phase} with ${pending} pending${problem ? ` (${problem.message})` : ''}`
  })
  return new HeadwaterError('not-settled', `Not settled after ${msMax} ms: ${states.join('; ')}.`, 'Look at app.troubles for what the server said.')
}
