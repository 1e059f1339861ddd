import type { Person } from '../../people.ts'
import { Avatar } from './Avatar.tsx'

/** Several people in a row, each named for those who cannot see them. */
export function AvatarStack({ people }: { readonly people: readonly Person[] }) {
  return (
    <span className="flex gap-0.5">
      {people.map((person) => (
        <Avatar key={person.id} person={person} size="small" isNamed />
      ))}
    </span>
  )
}
