import { HeadwaterError, userId } from '@headwater/protocol'
import type { Authenticated, AuthenticateRequest, ServerOptions } from '../api.ts'
import type { Caller, Clock } from '../ports.ts'
import type { Told } from './told.ts'

interface CallerDeps {
  readonly authenticate: ServerOptions['authenticate']
  readonly clock: Clock
  readonly told: Told
  readonly onTrouble: (error: unknown) => void
}

/** Asks the app who is behind a request. Who cannot be authenticated is nobody. */
export async function authenticated(deps: CallerDeps, request: AuthenticateRequest): Promise<Caller> {
  try {
    return await callerOf(deps, request)
  } catch (error) {
    deps.onTrouble(error)
    return { user: null, expiresAt: null, toldBefore: 0, again: () => callerOf(deps, request) }
  }
}

/** A session whose end has come is nobody's. Rejects where the app cannot say. */
export async function callerOf(deps: Omit<CallerDeps, 'onTrouble'>, request: AuthenticateRequest): Promise<Caller> {
  const toldBefore = deps.told.count()
  const { user, expiresAt } = read(await deps.authenticate(request))
  const isOver = expiresAt !== null && expiresAt <= deps.clock.now()
  return { user: isOver ? null : user, expiresAt, toldBefore, again: () => callerOf(deps, request) }
}

function read(answer: Authenticated): Pick<Caller, 'user' | 'expiresAt'> {
  if (answer === null || typeof answer === 'string') return { user: answer === null ? null : userId(answer), expiresAt: null }
  // An app without types may have answered anything.
  const expiresAt = answer?.expiresAt instanceof Date ? answer.expiresAt.getTime() : Number.NaN
  if (typeof answer?.user !== 'string' || Number.isNaN(expiresAt))
    throw new HeadwaterError(
      'invalid',
      'authenticate answered nobody that is understood.',
      'It answers the id of a person, null, or { user, expiresAt } with a Date.',
    )
  return { user: userId(answer.user), expiresAt }
}
