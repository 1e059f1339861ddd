import type { Down, Welcome } from '@headwater/protocol'
import type { Identity } from '../store/record.ts'
import type { EventType } from './machine.ts'

export interface Known {
  readonly identity: Identity
  readonly last: number
  readonly pending: number
  /** True if rows held were made without a column that this build knows and the server sends. */
  isLacking(columns: Welcome['columns']): boolean
}

/** The event that a message is, before anything of it is used. */
export function judge(message: Down, known: () => Known): EventType {
  if (message.type === 'welcome') return judgeWelcome(message, known())
  if (message.type !== 'failure') return message.type
  switch (message.code) {
    case 'version':
    case 'wrong-user':
      return 'refused'
    case 'forked':
      return 'copied'
    case 'unauthenticated':
    case 'draining':
      return message.code
    default:
      return 'failed'
  }
}

/**
 * - `other-database`: what is pending was made for another database, and is not sent to this one. With nothing pending: `adopt`.
 * - `copied`: the database knows fewer of this device's mutations than were confirmed, or more than were made. One of the two is a copy.
 * - `reload`: this build knows columns that the rows held do not have.
 */
function judgeWelcome({ database, last, resumed, columns }: Welcome, known: Known): EventType {
  const { identity } = known
  if (identity.database !== null && identity.database !== database) return known.pending > 0 ? 'other-database' : 'adopt'
  if (last < identity.confirmed || last > known.last) return 'copied'
  return resumed && known.isLacking(columns) ? 'reload' : 'accepted'
}
