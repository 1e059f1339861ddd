import type { Down, FailureCode, Welcome } from '@headwater/protocol'
import type { Outbox } from '../outbox/outbox.ts'
import type { Store } from '../store/store.ts'
import type { EventType } from './machine.ts'

/** The event that a message is, before anything of it is used. */
export function judge(message: Down, outbox: Outbox, store: Store): EventType {
  if (message.type === 'welcome') return judgeWelcome(message, outbox, store)
  if (message.type !== 'failure') return message.type === 'pong' ? 'pong' : 'news'
  return failures[message.code] ?? 'failed'
}

const failures: Readonly<Partial<Record<FailureCode, EventType>>> = {
  version: 'refused',
  'wrong-user': 'refused',
  forked: 'copied',
  unauthenticated: 'unauthenticated',
  // Nobody but the keeper of the database can end it, as nobody but the person can sign in.
  held: 'unauthenticated',
  draining: 'lost',
}

/**
 * - `other-database`: what is pending was made for another database, and is not sent to this one. With nothing pending: `adopt`.
 * - `copied`: the database knows fewer of this device's mutations than were confirmed, or more than were made. One of the two is a copy.
 * - `reload`: this build knows columns that the rows held do not have.
 */
function judgeWelcome({ database, last, resumed, columns }: Welcome, outbox: Outbox, store: Store): EventType {
  const identity = outbox.identity()
  if (identity.database !== null && identity.database !== database) return outbox.pending() > 0 ? 'other-database' : 'adopt'
  if (last < identity.confirmed || last > outbox.last()) return 'copied'
  return resumed && store.lacks(columns) ? 'reload' : 'accepted'
}
