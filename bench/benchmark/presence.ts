// How long after a device has said something of itself another one shows it: on the same server, and on another one of the same PostgreSQL. The
// limit is a NOTIFY that reaches a listening connection, and one frame over a WebSocket.
import { createPresence, type Presence } from '@headwater/client'
import { type BenchClient, person } from '../app.ts'
import { withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, latencies } from '../figure.ts'
import { pause, untilLive } from '../wait.ts'
import { createFloor } from './commit-to-visible.ts'

const warmUps = 10
const rounds = 150
/** Longer than what is passed over in between: each value is told by itself. */
const paceMs = 70

export const presence = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    const [near, far] = [await bed.startServer(), await bed.startServer()]
    const all = [createPresence(), createPresence(), createPresence()] as const
    const devices: BenchClient[] = [near, near, far].map((server, i) => openDevice({ ...server, presence: all[i] ?? all[0] }))
    await Promise.all(devices.map(untilLive))
    const [writer, same, other] = all
    const handle = writer.scope('user', person)
    const watches = [createWatch(same), createWatch(other)]
    const floor = await createFloor(bed)
    const floors: number[] = []
    const times: readonly number[][] = [[], []]
    for (let round = -warmUps; round < rounds; round++) {
      await pause(paceMs + ((round * 7 + 700) % 13))
      const least = await floor.measure()
      const saidAt = performance.now()
      const seen = watches.map((watch) => watch.until(round))
      handle.say(round)
      const found = await Promise.all(seen)
      if (round < 0) continue
      floors.push(least)
      for (const [i, at] of found.entries()) times[i]?.push(at - saidAt)
    }
    await floor.close()
    for (const device of devices) await device.close()
    return [
      ...latencies('presence to another device of the same server', times[0] ?? [], floors),
      ...latencies('presence to a device of another server', times[1] ?? [], floors),
    ]
  })

function createWatch(of: Presence) {
  const handle = of.scope('user', person)
  let wanted: number | null = null
  let seen: (at: number) => void = () => {}
  const look = () => {
    if (handle.get().others.some(({ value }) => value === wanted)) seen(performance.now())
  }
  handle.subscribe(look)
  return {
    until: (value: number) =>
      new Promise<number>((resolve) => {
        wanted = value
        seen = resolve
      }),
  }
}
