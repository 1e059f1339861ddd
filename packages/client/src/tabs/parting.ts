// How a tab parts from the others. Invariant: who has parted writes nothing to what the others share; what it has made until then is on the disk, or is said
// not to be.
import { type DeviceId, HeadwaterError } from '@headwater/protocol'
import type { Hold, Standing } from './standing.ts'

export interface Parting {
  /** Why nothing is written any more. */
  trouble(): HeadwaterError | null
  /** The disk cannot be used any more. */
  onBroken(error: HeadwaterError): void
  /** Goes on alone, in memory, as another device. */
  secede(error: HeadwaterError): Promise<void>
  /** The person has signed out: nothing of them stays here. */
  forget(): Promise<void>
}

export interface PartingDeps extends Pick<Hold, 'name' | 'ports' | 'store' | 'outbox' | 'sync' | 'newId' | 'report' | 'onChange' | 'close'> {
  readonly standing: Standing
  /** A store that is not read yet is not to be. */
  readonly tell: (error: HeadwaterError) => void
  readonly leave: () => void
  /** Nothing is said or heard any more. */
  readonly silence: () => void
}

export const forgotten = () => new HeadwaterError('forgotten', 'This person has signed out.')

export function createParting(deps: PartingDeps): Parting {
  const { standing, store, outbox, sync, leave, report, onChange } = deps
  const { note } = deps.ports
  let trouble: HeadwaterError | null = null

  function inMemory(error: HeadwaterError): void {
    trouble = error
    report(error)
    onChange()
  }

  async function secede(error: HeadwaterError): Promise<void> {
    leave()
    deps.silence()
    standing.journal?.fail(error)
    inMemory(error)
    // As the server knows devices: by any new text.
    await outbox.fork(deps.newId() as DeviceId, false).catch(report)
    sync.start()
  }

  async function forget(): Promise<void> {
    deps.tell(forgotten())
    standing.journal?.fail(forgotten())
    leave()
    await deps.close()
    await outbox.settled(() => {
      outbox.abandon()
      outbox.hear({ identity: outbox.identity() })
      store.commit(store.nothing(), new Map())
    })
    for (const [of] of note?.read(deps.name) ?? []) note?.write(of, '')
    onChange()
  }

  return {
    trouble: () => trouble,
    onBroken: (error) => {
      const { isGone, leads, free, wasReplaced } = standing
      const isForgotten = error.code === 'forgotten'
      if (isGone) return
      if (isForgotten && (!free || wasReplaced)) return void forget()
      // Who has had the lock all the time has no disk any more: the browser has taken it.
      if (leads || isForgotten) return inMemory(new HeadwaterError('disk', error.message, 'Reload the page.'))
      if (error.code === 'disk-blocked') return void forget()
      void secede(error)
    },
    secede,
    forget,
  }
}
