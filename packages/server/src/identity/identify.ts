import { HeadwaterError } from '@headwater/protocol'
import { tryCursor } from '../feed/cursor.ts'
import type { Database } from '../ports.ts'
import { type Finding, judge, knownAt } from './judge.ts'
import { look } from './look.ts'
import { createStateFolder } from './stateFolder.ts'

/** What can be told of a database, beside what a server remembers of it. */
export interface IdentityFound {
  /** null: Headwater was never started on it. */
  readonly database: string | null
  readonly history: string | null
  /** Where it stands, without what is secret; null: in memory. */
  readonly place: string | null
  /** What was remembered: where it stood, and as which database; null: nothing. */
  readonly before: { readonly place: string; readonly database: string } | null
  /** Why a server would serve nobody, and what to run; null: it would serve. */
  readonly finding: Finding | null
}

/** Asks what a server that remembers in `stateDirectory` would make of a database. Changes nothing. */
export async function identify(database: Database, stateDirectory: string | null): Promise<IdentityFound> {
  const known = stateDirectory === null ? [] : await createStateFolder(stateDirectory).read()
  const { place } = database
  const cursor = known.find((one) => one.place.text === place?.text)?.cursor
  const { server, installed, isStandby } = await look((text, parameters) => database.query(text, parameters), (cursor && tryCursor(cursor)?.position) || null)
  if (isStandby) throw new HeadwaterError('standby', 'This PostgreSQL is a standby in recovery.', 'Give the URL of the primary.')
  const before = place === null ? undefined : knownAt(known, place, installed)
  return {
    database: installed?.database ?? null,
    history: installed?.history ?? null,
    place: place?.text ?? null,
    before: before === undefined ? null : { place: before.place.text, database: before.database },
    finding: place === null ? null : judge(before, place, server, installed, false),
  }
}
