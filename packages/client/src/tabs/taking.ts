// Who leads. Invariant: one tab does: it alone talks to the server and writes what comes from there. It is the one whose record that says so is the last of its
// kind in the log: whoever was it before finds that out in the transaction in which it writes. The lock says who may write that record.
import { HeadwaterError } from '@headwater/protocol'
import type { DiskRecord } from '../ports.ts'
import { outboxRecord } from '../store/record.ts'
import type { Asking } from './asking.ts'
import type { Hearing } from './hear.ts'
import type { Hold, Standing } from './standing.ts'
import type { Message } from './words.ts'

export interface Taking {
  /** Waits for the lock, and asks who has it. */
  follow(): void
  /** Leads as soon as the log says so. */
  takeOver(): void
  /** Nobody has answered: takes the lock from whoever has it. */
  replace(): void
  /** The lock was stolen. */
  lost(): void
  /** Another began to lead, as the log says. */
  overruled(): void
  /** A tab of a newer build is there: it takes over in order, when all of this one is written. */
  yieldTo(): void
}

export interface TakingDeps extends Pick<Hold, 'name' | 'tabs' | 'store' | 'sync' | 'onChange'> {
  readonly standing: Standing
  readonly asking: Asking
  readonly hearing: Hearing
  readonly say: (message: Message) => void
  /** The store may be read; or it cannot be known whether it may. */
  readonly tell: (error?: HeadwaterError) => void
  /** This tab leads; or not any more. */
  readonly onLeads: () => void
  readonly onStep: () => void
}

const leaderMark = '{"outbox":{"leader":'
/** True if another began to lead with this record. */
export const isLeaders = (record: DiskRecord): boolean => record.startsWith(leaderMark)

export function createTaking(deps: TakingDeps): Taking {
  const { standing, asking, sync, tell } = deps
  const { tab } = standing
  // It waits for the lock; its record is on its way to the log; a tab of a newer build is to have the lock first.
  let [isQueued, isTaking, isYielding] = [false, false, false]

  function follow(): void {
    if (!isQueued) {
      isQueued = true
      void acquire({}).then((release) => {
        isQueued = false
        taken(release)
      })
    }
    asking.ask()
  }

  /** Undefined: it was had, and stolen. */
  async function acquire(how: { readonly steal?: boolean }): Promise<(() => void) | null | undefined> {
    let isStolen = false
    const release = await deps.tabs.lock(deps.name, how, () => {
      isStolen = true
      lost()
    })
    return isStolen ? undefined : release
  }

  function taken(release: (() => void) | null | undefined): void {
    if (!release || standing.isGone || standing.isOutdated || standing.free || isYielding) {
      release?.()
      // One that does not come is not waited for again.
      if (isYielding && !standing.isGone && !standing.isOutdated) follow()
      isYielding = false
      return
    }
    standing.free = release
    // Whoever waits for an answer need not.
    if (standing.isOpen) deps.say({ type: 'leads', tab, phase: 'connecting', problem: null, denied: [] })
    tell()
    takeOver()
  }

  function takeOver(): void {
    const { journal, isOpen, leads } = standing
    if (!journal || !isOpen || isTaking || leads) return
    isTaking = true
    // Who leads shows what the log says.
    standing.isBehind ||= standing.isAhead
    standing.isAhead = false
    journal.free(outboxRecord({ leader: tab }), () => {
      isTaking = false
      if (!standing.free || standing.isGone) return
      if (standing.isOutdated) return release()
      standing.leads = true
      if (deps.hearing.lacks()) deps.store.forgetCursor()
      journal.compact()
      sync.start()
      deps.onLeads()
      deps.onChange()
    })
  }

  function release(): void {
    standing.free?.()
    standing.free = null
  }

  function replace(): void {
    if (standing.leads || standing.isGone || standing.isOutdated || standing.free) return
    asking.stolen()
    void acquire({ steal: true }).then((release) => {
      if (release === null) tell(new HeadwaterError('disk-blocked', 'Another tab has it.', 'Reload the page.'))
      taken(release)
    })
  }

  function lost(): void {
    standing.free = null
    standing.wasReplaced = true
    if (standing.leads) step()
    if (!standing.isGone) follow()
  }

  function step(): void {
    standing.leads = false
    standing.told = null
    if (standing.journal?.isApplying()) standing.isBehind = true
    // Of the connection that there was nothing more is applied.
    sync.stop()
    asking.stolen()
    deps.onStep()
    deps.onChange()
  }

  return {
    follow,
    takeOver,
    replace,
    lost,
    overruled: () => {
      if (!standing.leads) return
      step()
      // Who has the lock says it again: the other did not know yet that it had lost it.
      if (standing.free) takeOver()
    },
    yieldTo: () => {
      isYielding = true
      if (!standing.leads) return
      standing.journal?.news(() => {
        const { free, leads } = standing
        if (leads) lost()
        free?.()
      })
    },
  }
}
