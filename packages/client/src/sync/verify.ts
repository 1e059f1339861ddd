// Scopes whose rows do not add up to what the server says are loaded again, they and nothing else; the outbox is not touched.
import { type Checkpoint, type Checksum, HeadwaterError, rowSum, type ScopeKey, type Up } from '@headwater/protocol'
import type { Status } from '../api.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Ports } from '../ports.ts'
import { addUp } from '../store/checksum.ts'
import type { Store, WireColumns } from '../store/store.ts'
import { createTurns, inSteps } from '../store/turns.ts'

export interface Verifying {
  /** Resolves, with the scopes that did not add up and are loaded again, when the server has told of all. */
  verify(): Promise<readonly ScopeKey[]>
  /** The device is level: asks what waits to be asked, once a connection. */
  talk(): void
  /** A checkpoint was applied. */
  hear(checkpoint: Checkpoint): void
  greeted(): void
  problem(): Status['problem']
}

export interface VerifyingDeps {
  readonly store: Store
  readonly outbox: Outbox
  readonly ports: Pick<Ports, 'clock'>
  readonly send: (message: Up) => void
  readonly wire: () => WireColumns | undefined
  readonly report: (error: unknown) => void
  /** There may be something to ask, or another problem. */
  readonly onWanted: () => void
}

/** A scope that did not add up after so many repairs is not repaired again on this connection. */
const repairsMax = 2

export function createVerifying({ store, outbox, ports, send, wire, report, onWanted }: VerifyingDeps): Verifying {
  const repairs = new Map<string, number>()
  let found = new Set<ScopeKey>()
  let problem: HeadwaterError | null = null
  let waiting: (() => void)[] = []
  let isAsked = false
  // What was added up of another connection says nothing.
  let greetings = 0
  let adding = Promise.resolve()

  function judge({ scope, load }: Checksum, isRight: boolean): void {
    const times = repairs.get(load + scope) ?? 0
    if (isRight) repairs.delete(load + scope)
    else {
      found.add(scope)
      repairs.set(load + scope, times + 1)
      problem = new HeadwaterError('checksum', `${scope} is not here as it is in the database.`)
      if (times === 0) report(problem)
      if (times < repairsMax) send({ type: 'repair', granted: [], held: [], [load]: [scope] })
    }
    if (repairs.size === 0) problem = null
  }

  function answer(): void {
    for (const resolve of waiting) resolve()
    waiting = []
    isAsked = false
  }

  return {
    verify: () =>
      new Promise((resolve) => {
        waiting.push(() => resolve([...found]))
        onWanted()
      }),
    talk: () => {
      if (isAsked || waiting.length === 0) return
      const { granted, held } = store.scopes()
      found = new Set()
      isAsked = true
      send({ type: 'verify', granted: [...granted], held: [...held] })
    },
    hear: ({ checks }) => {
      if (!checks) return
      const of = greetings
      const key = rowSum(outbox.identity().nonce ?? '', 0)
      // While columns are to come that a role shows, nothing adds up.
      const told = store.scopes().tag === '-' ? [] : checks
      const { steps, isRight } = addUp(store, wire() ?? new Map(), told, key)
      // One after the other, in turns: what was heard first is judged first.
      const addAndJudge = async () => {
        await inSteps(steps, createTurns(ports.clock))
        if (of !== greetings) return
        for (const check of told) judge(check, isRight(check))
        if (checks.length === 0) answer()
        onWanted()
      }
      adding = adding.then(addAndJudge).catch(report)
    },
    greeted: () => {
      greetings++
      repairs.clear()
      problem = null
      isAsked = false
    },
    problem: () => problem,
  }
}
