// Whether a database is the one that is meant: decided purely, from what is remembered outside of it and what a session shows.
import type { Place } from '../ports.ts'
import type { Installed } from './look.ts'

/** What is remembered of a database at a place. */
export interface Known {
  readonly place: Place
  readonly server: string
  readonly database: string
  /** Every decision that was seen in it, the newest last. */
  readonly decisions: readonly string[]
  readonly cursor: string | null
}

/** Why a database serves nobody until somebody says what it is. */
export interface Finding {
  /**
   * `moved`: it stands elsewhere than before, or is a copy. `swapped`: another one stands where it stood. `empty`: nothing stands there any more. `rewound`: it lacks or
   * contradicts what it had. `dump`: its rows were loaded into another database than they were written in.
   */
  readonly kind: 'moved' | 'swapped' | 'empty' | 'rewound' | 'dump'
  /** In words, without what is secret. */
  readonly message: string
  /** What to run. */
  readonly hint: string
}

/** What the database at a place is remembered as, or, where nothing is, the same database elsewhere. */
export function knownAt(known: readonly Known[], place: Place, installed: Installed | null): Known | undefined {
  const isHere = (one: Place) => one.text === place.text || (one.node !== null && one.node === place.node)
  return known.find((one) => isHere(one.place)) ?? known.findLast((one) => one.database === installed?.database)
}

/** null: it is the one, or nothing is known of it. `mayBeNew`: an empty one at a known place was made on purpose. */
export function judge(before: Known | undefined, place: Place, server: string, installed: Installed | null, mayBeNew: boolean): Finding | null {
  if (installed !== null && !installed.isOwn) return dump()
  if (before === undefined || (mayBeNew && before.database !== installed?.database)) return null
  if (installed === null) return empty(before, place)
  if (before.database !== installed.database) return installed.replaces === before.database ? null : swapped(before, place, installed)
  // Somebody has decided since.
  if (!before.decisions.includes(installed.decision)) return null
  const isHere = before.place.text === place.text || (before.place.node !== null && before.place.node === place.node)
  // One process serves both: it has another name.
  if (!isHere && before.server !== server) return moved(before, place)
  return installed.decision !== before.decisions.at(-1) || installed.past === 'differs' ? rewound(place) : null
}

/** What those are told who cannot decide. */
export const serverHint = 'Its keeper says what it is, with `headwater identity`; then everything goes on by itself.'

const run = 'headwater identity adopt --as'

const dump = (): Finding => ({
  kind: 'dump',
  message:
    'The database was loaded from a dump: its transactions have other numbers than when its rows were written, so nothing that devices hold continues in it.',
  hint: `If it takes the place of the one that was dumped, run \`${run} restore\`; if both go on, \`${run} copy\`.`,
})

const empty = (before: Known, place: Place): Finding => ({
  kind: 'empty',
  message: `There is nothing at ${place.text}, where the database ${before.database} was.`,
  hint: `Put it back, or give the right URL. To begin anew there, run \`${run} same --instead-of ${before.database}\`.`,
})

const swapped = (before: Known, place: Place, { database }: Installed): Finding => ({
  kind: 'swapped',
  message: `The database at ${place.text} is ${database}; the one that was there is ${before.database}.`,
  hint: `Give the right URL. If this one is meant from now on, run \`${run} same --instead-of ${before.database}\`.`,
})

const moved = (before: Known, place: Place): Finding => ({
  kind: 'moved',
  message: `The database ${before.database} was at ${before.place.text}, and this one at ${place.text} says that it is the same. It was moved, or it is a copy.`,
  hint: `If it is a copy, run \`${run} copy\`; if it was moved and the other one is gone, \`${run} same\`.`,
})

const rewound = (place: Place): Finding => ({
  kind: 'rewound',
  message: `The database at ${place.text} lacks some of what it had when it was last seen: it was restored, copied back, or failed over with a lost tail.`,
  hint: `After a failover run \`${run} failover\`: devices offer again what they had confirmed. If it was restored on purpose, \`${run} restore\`: they show what is gone, and send nothing.`,
})
