// The people of the demo. On loopback anybody at this machine may be any of them; the sign-in page says so.
export interface Person {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly work: string
}

export const people: readonly Person[] = [
  { id: 'ada', name: 'Ada Marsh', email: 'ada@codecraft.test', work: 'Product engineering' },
  { id: 'grace', name: 'Grace Okoye', email: 'grace@codecraft.test', work: 'Platform and tooling' },
  { id: 'linus', name: 'Linus Falk', email: 'linus@codecraft.test', work: 'Infrastructure' },
]

export const personOf = (id: string): Person | undefined => people.find((person) => person.id === id)
