// Who is here: what devices say of themselves in scopes, for as long as they are connected. Nothing of it is written anywhere.
// Invariant: only who is granted a scope is heard in it and hears of it, and a grant that is lost ends both in the batch that takes it.
import { HeadwaterError, type Presence as PresenceSaid, type ScopeKey, limits as wire } from '@headwater/protocol'
import { createRates } from '../http/rates.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { Exchange } from './exchange.ts'
import { createGathering, deniedFrame, type Gathering, type Guest } from './gathering.ts'

/** A connection that has greeted. */
export interface Visitor extends Guest {
  mayEnter(scope: ScopeKey): boolean
}

export interface Visit {
  /** Throws `too-large` for too many scopes, or too many messages in a while. */
  say(says: PresenceSaid['says']): void
  /** What the person may see has changed. */
  regranted(): void
  leave(): void
}

export interface Presence {
  visit(visitor: Visitor): Visit
}

export function createPresence(clock: Clock, exchange: Exchange): Presence {
  const gatherings = new Map<ScopeKey, Gathering>()
  exchange.connect(
    (scope) => gatherings.get(scope)?.own() ?? null,
    (scope) => gatherings.get(scope)?.stir(),
  )

  function enter(scope: ScopeKey, guest: Guest, value: string | null): void {
    let gathering = gatherings.get(scope)
    if (gathering === undefined) {
      gathering = createGathering({ clock, scope, elsewhere: () => exchange.elsewhere(scope) })
      gatherings.set(scope, gathering)
      exchange.want(scope, true)
    }
    gathering.join(guest, value)
    exchange.changed(scope)
  }

  function leave(scope: ScopeKey, guest: Guest): boolean {
    const gathering = gatherings.get(scope)
    if (gathering === undefined || !gathering.has(guest)) return false
    const isEmpty = gathering.leave(guest)
    exchange.changed(scope)
    if (!isEmpty) return true
    gatherings.delete(scope)
    exchange.want(scope, false)
    return true
  }

  function visit(visitor: Visitor): Visit {
    const rates = createRates(clock, limits.presenceRate)
    // What it says where, granted or not: what is granted later is entered then.
    const valueByScope = new Map<ScopeKey, string | null>()

    function settle(scope: ScopeKey, value: string | null): void {
      if (visitor.mayEnter(scope)) return enter(scope, visitor, value)
      leave(scope, visitor)
      visitor.transmit(deniedFrame(scope))
    }

    return {
      say: (says) => {
        if (rates.take('') > 0) throw new HeadwaterError('too-large', 'Presence was told too often.', `At most every ${wire.presenceEveryMs} ms.`)
        for (const { scope, as, value } of says) {
          if (as === 'away') {
            valueByScope.delete(scope)
            leave(scope, visitor)
            continue
          }
          valueByScope.set(scope, as === 'here' ? JSON.stringify(value) : null)
          if (valueByScope.size > wire.presenceScopesMax)
            throw new HeadwaterError('too-large', `Presence was told of more than ${wire.presenceScopesMax} scopes.`, 'Leave one before you enter another.')
          settle(scope, valueByScope.get(scope) ?? null)
        }
      },
      regranted: () => {
        for (const [scope, value] of valueByScope) if (visitor.mayEnter(scope) !== (gatherings.get(scope)?.has(visitor) ?? false)) settle(scope, value)
      },
      leave: () => {
        for (const scope of valueByScope.keys()) leave(scope, visitor)
        valueByScope.clear()
      },
    }
  }

  return { visit }
}
