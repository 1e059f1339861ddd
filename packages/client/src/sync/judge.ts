import type { Welcome } from '@headwater/protocol'
import type { Identity } from '../store/record.ts'
import type { Verdict } from './machine.ts'

/**
 * What a welcome means to a device, before anything of it is used.
 *
 * - `other-database`: what is pending was made for another database, and is not sent to this one. With nothing pending: `adopt`.
 * - `forked`: the database knows fewer of this device's mutations than were confirmed, or more than were made. One of the two is a copy.
 * - `reload`: this build knows columns that the rows held do not have.
 */
export function judge({ database, last, resumed }: Welcome, identity: Identity, made: { last(): number; pending(): number }, isLacking: boolean): Verdict {
  if (identity.database !== null && identity.database !== database) return made.pending() > 0 ? 'other-database' : 'adopt'
  if (last < identity.confirmed || last > made.last()) return 'forked'
  return resumed && isLacking ? 'reload' : 'accepted'
}
