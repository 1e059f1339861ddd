// What the people in a project say of themselves while they are there: ephemeral, and never to be trusted.
import type { Gathering } from '@headwater/client'
import { z } from 'zod'

/** What this device says: whether a message is being written, and where the cursor is in which file. */
export interface Mine {
  readonly isTyping: boolean
  readonly file: string | null
  /** Characters before the selection's fixed end, and before its moving one. */
  readonly anchor: number
  readonly head: number
}

/** Somebody else, on one of their devices. */
export interface Other extends Mine {
  readonly id: string
  readonly user: string
}

const place = z.number().int().min(0).max(1e9)
const said = z.object({ isTyping: z.boolean(), file: z.string().max(100).nullable(), anchor: place, head: place })
const nothing: Mine = { isTyping: false, file: null, anchor: 0, head: 0 }

/** Who says something else than we would is here, and no more is known of them. */
export const othersOf = ({ others }: Pick<Gathering, 'others'>): readonly Other[] =>
  others.map(({ id, user, value }) => {
    const read = said.safeParse(value)
    return { id, user, ...(read.success ? read.data : nothing) }
  })

/** Each person once, however many devices they have. */
export const peopleOf = (others: readonly Pick<Other, 'user'>[]): readonly string[] => [...new Set(others.map(({ user }) => user))]

/** `Ada is typing`, `Ada and Grace are typing`, `Ada and 2 others are typing`; null: nobody is. */
export function typingText(names: readonly string[]): string | null {
  const [first, second] = names
  if (first === undefined) return null
  if (second === undefined) return `${first} is typing`
  return names.length === 2 ? `${first} and ${second} are typing` : `${first} and ${names.length - 1} others are typing`
}
