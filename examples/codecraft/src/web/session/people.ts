// Everybody one can share with: at once as remembered, then as the server says. Asked for once per page, not once per place that names somebody.
import type { Person } from '../../people.ts'
import type { Remembered } from './remembered.ts'
import type { Requests } from './requests.ts'

export interface People {
  readonly all: readonly Person[]
  /** Somebody of that id; one who is not known here is named by the id. */
  find(id: string): Person
}

export interface PeopleStore {
  get(): People
  subscribe(run: () => void): () => void
  refresh(): Promise<void>
}

export function createPeople(requests: Pick<Requests, 'people'>, remembered: Pick<Remembered, 'people' | 'setPeople'>): PeopleStore {
  let people = peopleOf(remembered.people())
  const listeners = new Set<() => void>()
  return {
    get: () => people,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    refresh: async () => {
      const answer = await requests.people()
      if (answer.type !== 'answer') return
      remembered.setPeople(answer.value)
      people = peopleOf(answer.value)
      for (const run of listeners) run()
    },
  }
}

function peopleOf(all: readonly Person[]): People {
  const peopleById = new Map(all.map((person) => [person.id, person]))
  return { all, find: (id) => peopleById.get(id) ?? { id, name: id, email: '', work: '' } }
}
