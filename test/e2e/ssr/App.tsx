import { createHooks } from '@headwater/react'
import type { PageQuery } from '@headwater/schema'
import type { mutators, schema } from './schema.ts'

const { useClient, useMutate, useQuery, useStatus } = createHooks<typeof schema, typeof mutators>()

/** What the page shows first. The component asks for the same. */
export const firstTasks = (q: Pick<PageQuery<typeof schema>, 'tasks'>) => q.tasks.orderBy('title').limit(50)

export function App({ person }: { readonly person: string }) {
  const { rows } = useQuery((q) => q.tasks.orderBy('title').limit(50))
  const mutate = useMutate()
  const { id } = useClient()
  const { phase } = useStatus()
  return (
    <main>
      <ul>
        {rows.map((task) => (
          <li key={task.id}>{task.title}</li>
        ))}
      </ul>
      <button type="button" onClick={() => mutate.tasks.insert({ id: id(), ownerId: person, title: 'Mine' })}>
        Add
      </button>
      <output>{phase === 'live' ? 'live' : 'waiting'}</output>
    </main>
  )
}
