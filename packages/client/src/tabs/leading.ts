// What the tab that leads does for the others. Invariant: a frame of the server is on the disk before it is applied, so that no tab is ahead of the others, or
// of itself after a start.
import type { Down } from '@headwater/protocol'
import { parseRecord } from '../store/record.ts'
import { judge } from '../sync/judge.ts'
import { createFollowers } from './followers.ts'
import type { Shared } from './journal.ts'
import type { Hold, Standing } from './standing.ts'
import type { Here, Message } from './words.ts'

export interface Leading {
  /** Of a tab that follows. */
  hear(here: Here): void
  /** Says that this tab is alive, and that it leads when what was written before is there: who follows finds a log that has begun. */
  answer(): void
  /** Says how this tab stands, if it has not said that already. */
  say(isAnswer: boolean): void
  /** `run` takes the frame, unless another leads by now; '': it greets. In the order of the calls. */
  gate(frame: string, run: () => void): void
  /** This tab leads no more. */
  stop(): void
}

export interface LeadingDeps extends Pick<Hold, 'tabs' | 'store' | 'outbox' | 'sync' | 'status' | 'report'> {
  readonly standing: Standing
  readonly say: (message: Message) => void
  /** A tab that followed is gone. */
  readonly onGone: () => void
}

export function createLeading(deps: LeadingDeps): Leading {
  const { standing, tabs, store, outbox, sync, status, report } = deps
  const followers = createFollowers({ tabs, holds: sync.holds, onGone: deps.onGone })
  let said = ''
  let gating: Promise<unknown> = Promise.resolve()

  function answer(): void {
    const { journal, isOpen, leads } = standing
    if (!leads) return
    deps.say({ type: 'alive' })
    if (isOpen) journal?.news(() => standing.leads && say(true))
  }

  function say(isAnswer: boolean): void {
    const { phase, problem } = status.get()
    // That it is closing is its own affair.
    if (phase === 'stopped' && problem?.code === 'closed') return
    const message: Message = { type: 'leads', tab: standing.tab, phase, problem, denied: [...followers.denied()] }
    const text = JSON.stringify(message)
    if (!isAnswer && text === said) return
    said = text
    deps.say(message)
  }

  /** False: another leads by now. What is on the disk is applied, by everybody. */
  async function mayTake(frame: string): Promise<boolean> {
    const { leads, journal } = standing
    const type = /^\{"type":"(\w+)"/.exec(frame)?.[1] ?? ''
    if (!leads || !journal) return true
    if (!frame) await catchUp(journal)
    if (type === 'welcome') {
      journal.anew()
      return isAccepted(frame) ? journal.write(frame) : true
    }
    if (!sync.isTalking() || !(type === 'load' || type === 'checkpoint') || !isWhole(frame)) return true
    const written = journal.write(frame)
    return type === 'load' || written
  }

  /** What was on its way to the disk when its connection ended is there, and is not taken from it: others have it, and so has whoever begins with this log. */
  async function catchUp(journal: Shared): Promise<void> {
    if (!journal.isApplying()) return
    standing.isBehind = true
    journal.news()
    await journal.settled()
    journal.anew()
  }

  // It is a frame.
  const isAccepted = (frame: string) => isWhole(frame, (message) => ['accepted', 'reload'].includes(judge(message as Down, outbox, store)))

  return {
    hear: ({ tab, scopes }) => {
      followers.hear(tab, scopes)
      sync.wanted()
      answer()
    },
    answer,
    say,
    gate: (frame, run) => {
      gating = gating.then(async () => {
        if (await mayTake(frame)) run()
      }, report)
    },
    stop: () => {
      followers.clear()
      said = ''
    },
  }
}

/** A log with a record that cannot be read is worth nothing: who takes the frame says what is wrong with it. */
function isWhole(frame: string, isRight: (message: ReturnType<typeof parseRecord>) => boolean = () => true): boolean {
  try {
    return isRight(parseRecord(frame))
  } catch {
    return false
  }
}
