// Mutations that an older build of the app made, and this one finds in its outbox.
//
// Invariant: what may have been sent keeps its form, and what is sent has the form that is on the disk: the new form is a record before the one that gives the
// number, or it is none. Whoever reads the records comes to the same.
import { HeadwaterError } from '@headwater/protocol'
import { type Mutators, own } from '@headwater/schema'
import type { Upgrade } from '../api.ts'
import type { Made } from '../store/record.ts'
import { isBuiltIn } from './builtin.ts'
import type { Outbox } from './outbox.ts'
import { assertStorable, textOf } from './size.ts'

interface UpgradeDeps {
  readonly outbox: Pick<Outbox, 'made' | 'say' | 'waiting'>
  readonly upgrade?: Upgrade | undefined
  readonly mutators: Mutators
  readonly report: (error: unknown) => void
}

/** Gives what was not sent the form that the app says. Resolves when that is on the disk, or cannot be. */
export async function upgraded({ outbox, upgrade, mutators, report }: UpgradeDeps): Promise<void> {
  const formOf = (one: Made): readonly Made[] => {
    const edited = one.number ? null : upgrade?.(one)
    if (!edited) return []
    const next = { ...one, ...edited }
    const { name, args } = next
    if (!isBuiltIn(name) && !own(mutators, name)) throw new HeadwaterError('unknown-mutator', `There is no mutator ${name}.`)
    assertStorable(name, args)
    return [{ ...next, args: JSON.parse(textOf(name, args)) }]
  }
  const made = [...outbox.made.values()].flatMap((one) => {
    try {
      return formOf(one)
    } catch (error) {
      report(error)
      return []
    }
  })
  if (made.length === 0) return
  await outbox.say({ made }).catch(report)
  // The app may have been handed them already.
  for (const pending of outbox.waiting()) {
    const { name = pending.name, args = pending.args } = outbox.made.get(pending.id) ?? {}
    Object.assign(pending, { name, args })
  }
}
