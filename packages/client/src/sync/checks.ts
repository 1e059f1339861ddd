// Checksums, which most devices are never asked for: what compares them is a chunk that is fetched when the first ones come.
import type { Later } from '../outbox/outbox.ts'
import type { Verifying, VerifyingDeps } from './verify.ts'

export function createChecks(deps: VerifyingDeps & { readonly later: () => Promise<Later> }): Verifying {
  let verifying: Verifying | null = null
  let greetings = 0

  const fetched = (): Promise<Verifying> =>
    deps.later().then(({ createVerifying }) => {
      verifying ??= createVerifying(deps)
      return verifying
    })

  return {
    verify: () => fetched().then((one) => one.verify()),
    talk: () => verifying?.talk(),
    hear: (checkpoint) => {
      if (verifying || !checkpoint.checks) return verifying?.hear(checkpoint)
      const before = greetings
      // Sums are of one moment and one connection. If either is over by then, the server asks again.
      fetched().then((one) => before === greetings && checkpoint.cursor === deps.store.cursor() && one.hear(checkpoint), deps.report)
    },
    greeted: () => {
      greetings++
      verifying?.greeted()
    },
    problem: () => verifying?.problem() ?? null,
  }
}
