// What a device said and was told, whichever of its processes it was: where it is by that, and of what it may show.
import { type Checkpoint, type Cursor, decodeDown, decodeUp } from '@headwater/protocol'
import type { Moment } from '../harness/generated/device.ts'
import type { FrameMishap, Way } from './network.ts'

export interface Traffic {
  /** After each checkpoint. */
  readonly moments: readonly Moment[]
  /** What it may show: checkpoints, and from where it went on; all of them without rows. */
  readonly states: readonly Moment[]
  readonly frames: readonly string[]
  /** The ids by which it has greeted. */
  readonly ids: ReadonlySet<string>
  /** By id, mutations that it has sent. */
  readonly sent: ReadonlySet<string>
  /** By id, mutations of which it was told what became, whichever process had made them. */
  readonly told: ReadonlySet<string>
  onFrame(way: Way, frame: string, mishap: FrameMishap | null): void
  /** Nothing is at work: what was sent has been taken in. `shown`: what is shown now; null: it is not running. */
  settle(shown: (() => Moment['rows']) | null): void
  /** Who was told of it is dead, and was alone. */
  forget(): void
  /** It was told by what no network does, at some time. */
  wasMisled(): boolean
}

export function createTraffic(): Traffic {
  const moments: Moment[] = []
  const states: Moment[] = []
  const frames: string[] = []
  const ids = new Set<string>()
  const told = new Set<string>()
  const sent = new Set<string>()
  const idsByNumber = new Map<string, string>()
  let greetedAs = ''
  let [granted, held]: [Set<string>, Set<string>] = [new Set(), new Set()]
  let heard: Checkpoint[] = []
  let isMisled = false
  let wasMisled = false

  const momentAt = (cursor: Cursor, rows: Moment['rows']): Moment => ({ cursor, granted: new Set(granted), held: new Set(held), rows })
  const remember = (cursor: Cursor) => void states.push(momentAt(cursor, null))

  function follow(checkpoint: Checkpoint, rows: Moment['rows']): void {
    if (checkpoint.replace) [granted, held] = [new Set(), new Set()]
    for (const scope of checkpoint.left.granted) granted.delete(scope)
    for (const scope of checkpoint.left.held) held.delete(scope)
    for (const scope of checkpoint.joined.granted) granted.add(scope)
    for (const scope of checkpoint.joined.held) held.add(scope)
    remember(checkpoint.cursor)
    moments.push(momentAt(checkpoint.cursor, rows))
  }

  function hearDown(frame: string, mishap: FrameMishap | null): void {
    frames.push(frame)
    const message = decodeDown(frame)
    // What came before its rows is taken back as soon as they come: the device greets again.
    if (message.type === 'checkpoint' && mishap === 'late' && message.loads.length > 0) isMisled = true
    if (message.type !== 'checkpoint') return
    heard.push(message)
    for (const { number } of message.outcomes) told.add(idsByNumber.get(`${greetedAs} ${number}`) ?? '')
  }

  function hearUp(frame: string): void {
    const message = decodeUp(frame)
    if (message.type === 'hello') {
      greetedAs = message.device
      ids.add(message.device)
      // What a device says that it holds is where it goes on from.
      ;[granted, held] = [new Set(message.granted), new Set(message.cursor === null ? [] : message.held)]
      isMisled = false
      if (message.cursor !== null) remember(message.cursor)
    }
    for (const { number, id } of message.type === 'push' ? message.mutations : []) {
      sent.add(id)
      idsByNumber.set(`${greetedAs} ${number}`, id)
    }
    if (message.type !== 'release') return
    for (const scope of message.scopes) held.delete(scope)
    const last = states.at(-1)
    if (last) remember(last.cursor)
  }

  return {
    moments,
    states,
    frames,
    ids,
    sent,
    told,
    onFrame: (way, frame, mishap) => {
      if (way === 'down' && (mishap === 'twice' || mishap === 'swapped')) isMisled = true
      try {
        if (way === 'up') hearUp(frame)
        else hearDown(frame, mishap)
      } catch {
        // It is garbage, which both ends notice for themselves.
      }
      wasMisled ||= isMisled || mishap === 'late'
    },
    settle: (shown) => {
      for (const checkpoint of heard.splice(0)) if (shown && !isMisled) follow(checkpoint, shown())
    },
    forget: () => {
      heard = []
    },
    wasMisled: () => wasMisled,
  }
}
