// For development alone: a mutator that asks another clock or another chance than `tx` does something else each time it is run, and it is run
// many times: on the device at every checkpoint, and on the server. So its first run is done twice, and must come to the same.
import { asError, HeadwaterError, type Json } from '@headwater/protocol'
import type { Clock } from '../ports.ts'
import type { View } from '../store/layer.ts'
import type { Draft } from './draft.ts'
import type { Entry } from './entry.ts'

type Run = (entry: Entry, draft: Draft) => Promise<void> | undefined

interface RehearseDeps {
  readonly clock: Clock
  readonly report: (error: unknown) => void
  readonly draftOver: (below: View) => Draft
  readonly run: Run
}

/** What a line needs, with a run that goes wrong where two runs of a new mutation differ. What is not asynchronous is no mutator of the app. */
export function rehearsed<D extends RehearseDeps>(deps: D): D {
  const { clock, report, draftOver, run } = deps
  async function twice(entry: Entry, draft: Draft): Promise<void> {
    const first = await outcomeOf(run, entry, draftOver(draft.view))
    waitForTheClock(clock)
    const second = await outcomeOf(run, entry, draft)
    if (first.text !== second.text) {
      const error = unsteady(entry.mutation.name, first.text, second.text)
      report(error)
      throw error
    }
    if (second.thrown) throw second.thrown[0]
  }
  const isOnce = ({ isQueued, mutation }: Entry) => isQueued || mutation.name.includes('.')
  return { ...deps, run: (entry: Entry, draft: Draft) => (isOnce(entry) ? run(entry, draft) : twice(entry, draft)) }
}

async function outcomeOf(run: Run, entry: Entry, draft: Draft): Promise<{ readonly text: string; readonly thrown?: readonly [unknown] }> {
  const writes: [name: string, args: Json][] = []
  const recording = {
    ...draft,
    write: (name: string, args: Json) => {
      writes.push([name, args])
      draft.write(name, args)
    },
  }
  try {
    await run(entry, recording)
    return { text: JSON.stringify(writes) }
  } catch (error) {
    const { code, message } = asError(error, 'mutator-failed')
    return { text: JSON.stringify([...writes, code, message]), thrown: [error] }
  }
}

/** Two readings of the clock differ if there is a millisecond between them. A clock that stands still is not waited for. */
function waitForTheClock(clock: Clock): void {
  const start = clock.now()
  for (let tries = 0; tries < 100_000 && clock.now() === start; tries++);
}

const textMax = 300

const unsteady = (name: string, first: string, second: string) =>
  new HeadwaterError(
    'mutator-unsteady',
    `The mutator ${name} did something else when it was run again: first ${first.slice(0, textMax)}, then ${second.slice(0, textMax)}.`,
    'Take ids from tx.id() and the time from tx.now(), and everything else from its arguments and tx.',
  )
