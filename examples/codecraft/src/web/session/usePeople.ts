import { useEffect, useMemo, useState } from 'react'
import type { Person } from '../../people.ts'
import { useSession } from './SessionContext.ts'

export interface People {
  readonly all: readonly Person[]
  /** Somebody of that id; one who is not known here is named by the id. */
  find(id: string): Person
}

/** Everybody one can share with: at once as remembered, then as the server says. */
export function usePeople(): People {
  const { requests, remembered } = useSession()
  const [all, setAll] = useState(() => remembered.people())
  useEffect(() => {
    let isCurrent = true
    void requests.people().then((answer) => {
      if (answer.type !== 'answer') return
      remembered.setPeople(answer.value)
      if (isCurrent) setAll(answer.value)
    })
    return () => {
      isCurrent = false
    }
  }, [requests, remembered])
  return useMemo(() => ({ all, find: (id) => all.find((person) => person.id === id) ?? { id, name: id, email: '', work: '' } }), [all])
}
