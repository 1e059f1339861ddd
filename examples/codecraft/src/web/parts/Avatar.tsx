import type { Person } from '../../people.ts'

const sizes = { small: 'size-5 text-[0.5625rem]', medium: 'size-6 text-[0.625rem]', large: 'size-9 text-xs' }

/** A person's initials on a quiet ground of their own hue. The name is read out where `isNamed`; elsewhere it stands beside it. */
export function Avatar({
  person,
  size = 'medium',
  isNamed = false,
}: {
  readonly person: Person
  readonly size?: keyof typeof sizes
  readonly isNamed?: boolean
}) {
  const hue = hueOf(person.id)
  const style = {
    background: `light-dark(oklch(0.92 0.045 ${hue}), oklch(0.34 0.05 ${hue}))`,
    color: `light-dark(oklch(0.4 0.09 ${hue}), oklch(0.88 0.06 ${hue}))`,
  }
  const name = isNamed ? { role: 'img', 'aria-label': person.name, title: person.name } : { 'aria-hidden': true }
  return (
    <span
      {...name}
      style={style}
      // Drawn and not written: read out they are letters, and the name says who it is.
      data-initials={initialsOf(person.name)}
      className={`before:content-[attr(data-initials)] inline-flex shrink-0 items-center justify-center rounded-full font-semibold tracking-wide select-none ${sizes[size]}`}
    />
  )
}

const initialsOf = (name: string) =>
  name
    .split(' ')
    .map((word) => word.slice(0, 1))
    .join('')
    .slice(0, 2)
    .toUpperCase()

/** The colour of a person, in degrees. */
export function hueOf(id: string): number {
  let sum = 0
  for (let i = 0; i < id.length; i++) sum = (sum * 31 + id.charCodeAt(i)) % 360
  return sum
}
