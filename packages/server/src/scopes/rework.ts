import { type ScopeKey, scopeKey, type UserId } from '@headwater/protocol'
import type { Transaction } from '../ports.ts'
import type { Affected } from './affected.ts'
import type { Granted, GrantReader, Regrant, Regrants } from './grants.ts'

/** A connected device, as far as its person's grants go. */
export interface Grantee {
  readonly user: UserId
  /** At the feed's position; null: not known yet. */
  granted(): Granted | null
}

/** Who is connected, with their devices. */
export type People = ReadonlyMap<UserId, Iterable<Grantee>>

/** Whether anybody who is connected is concerned. */
export const concernsAnybody = ({ isEverybody, users, keys, pairUsers }: Affected, people: People) =>
  people.size > 0 && (isEverybody || keys.size > 0 || among(users, people).length > 0 || among(pairUsers, people).length > 0)

// The strings of a set of people are ids of users where they are found among these.
const among = (users: ReadonlySet<string>, people: People) => [...users].filter((user) => people.has(user as UserId)) as UserId[]

/** A greeting is not answered yet: what the person held is to be asked in whole. */
const isUnknown = (devices: Iterable<Grantee>) => [...devices].some((device) => device.granted() === null)

/** What is found out again in one snapshot, put together per person. */
export interface Rework {
  readonly regrants: Regrants
  /** What the people concerned hold of a kind, as far as they are concerned. */
  affected(kind: string, one: Affected): Promise<void>
  /** All that people hold of a kind. */
  whole(kind: string, users: readonly UserId[]): Promise<void>
}

interface Draft extends Regrant {
  readonly kinds: Set<string>
  readonly scopes: Set<ScopeKey>
  readonly granted: Map<ScopeKey, ReadonlySet<string>>
}

export function createRework(reader: GrantReader, transaction: Transaction, people: People): Rework {
  const drafts = new Map<UserId, Draft>()
  const draftOf = (user: UserId) => {
    const draft = drafts.get(user) ?? { kinds: new Set(), scopes: new Set(), granted: new Map() }
    drafts.set(user, draft)
    return draft
  }

  async function whole(kind: string, users: readonly UserId[]): Promise<void> {
    if (users.length === 0) return
    const answer = await reader.partOf(transaction, kind, { users })
    for (const user of users) {
      const draft = draftOf(user)
      draft.kinds.add(kind)
      for (const [scope, roles] of answer.get(user) ?? []) draft.granted.set(scope, roles)
    }
  }

  /** The share of some or all people in some keys: of each, the scopes that they held or hold. */
  async function part(kind: string, keys: ReadonlySet<string>, users?: readonly UserId[]): Promise<void> {
    if (keys.size === 0 || users?.length === 0) return
    const answer = await reader.partOf(transaction, kind, { keys: [...keys], ...(users && { users }) })
    const scopes = [...keys].map((key) => scopeKey(kind, key))
    for (const user of users ?? people.keys()) {
      const now = answer.get(user)
      const before = [...(people.get(user) ?? [])].flatMap((device) => heldOf(device, scopes))
      if (before.length === 0 && now === undefined) continue
      const draft = draftOf(user)
      for (const scope of before) draft.scopes.add(scope)
      for (const [scope, roles] of now ?? []) {
        draft.scopes.add(scope)
        draft.granted.set(scope, roles)
      }
    }
  }

  return {
    regrants: drafts,
    whole,
    affected: async (kind, { isEverybody, users, keys, pairUsers, pairKeys }) => {
      if (isEverybody) return whole(kind, [...people.keys()])
      const pairs = among(pairUsers, people)
      const greeting = new Set((keys.size > 0 ? [...people.keys()] : pairs).filter((user) => isUnknown(people.get(user) ?? [])))
      const known = pairs.filter((user) => !greeting.has(user))
      await whole(kind, [...new Set([...among(users, people), ...greeting])])
      await part(kind, keys)
      await part(kind, pairKeys, known)
    },
  }
}

const heldOf = (device: Grantee, scopes: readonly ScopeKey[]) => {
  const granted = device.granted()
  return scopes.filter((scope) => granted?.has(scope))
}
