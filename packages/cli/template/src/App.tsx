import { type FormEvent, useState } from 'react'
import { useClient, useMutate, useQuery, useSetAside, useStatus } from './headwater.ts'

export function App({ person, onSignOut }: { readonly person: string; readonly onSignOut: () => void }) {
  const { rows: lists, state } = useQuery((q) => q.lists.orderBy('title'))
  const [chosen, setChosen] = useState<string | null>(null)
  const client = useClient()
  const mutate = useMutate()
  const current = lists.find(({ id }) => id === chosen) ?? lists[0]

  function addList(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const title = takeText(event.currentTarget, 'title')
    if (title === '') return
    const id = client.id()
    mutate.lists.insert({ id, ownerId: person, title })
    setChosen(id)
  }

  return (
    <>
      <header>
        <h1>Lists</h1>
        <Sync />
        <button type="button" onClick={onSignOut}>
          Sign out {person}
        </button>
      </header>
      <main>
        <nav aria-label="Lists">
          {lists.map(({ id, title }) => (
            <button key={id} type="button" aria-current={id === current?.id} onClick={() => setChosen(id)}>
              {title}
            </button>
          ))}
          <form onSubmit={addList}>
            <input name="title" aria-label="New list" placeholder="New list" maxLength={200} />
          </form>
        </nav>
        {current ? <List key={current.id} id={current.id} title={current.title} /> : <p>{state === 'complete' ? 'No list yet: make one.' : 'Loading…'}</p>}
      </main>
      <Refused />
    </>
  )
}

function List({ id, title }: { readonly id: string; readonly title: string }) {
  const { rows: items } = useQuery((q) => q.items.where({ listId: id }).orderBy('position'))
  const { rows: members } = useQuery((q) => q.members.where({ listId: id }).orderBy('userId'))
  const mutate = useMutate()

  function addItem(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const text = takeText(event.currentTarget, 'text')
    if (text !== '') mutate.addItem({ listId: id, text })
  }

  function share(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const userId = takeText(event.currentTarget, 'userId').toLowerCase()
    if (userId !== '') mutate.members.insert({ listId: id, userId, role: 'editor' })
  }

  return (
    <section>
      <h2>{title}</h2>
      <ul>
        {items.map((item) => (
          <li key={item.id}>
            <label>
              <input type="checkbox" checked={item.done} onChange={() => mutate.items.update({ id: item.id, done: !item.done })} />
              <span>{item.text}</span>
            </label>
            <button type="button" aria-label={`Remove ${item.text}`} onClick={() => mutate.items.delete({ id: item.id })}>
              ×
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={addItem}>
        <input name="text" aria-label="New item" placeholder="Add an item" maxLength={1000} />
      </form>
      <footer>
        {members.length > 0 && <span>Shared with {members.map(({ userId }) => userId).join(', ')}</span>}
        <form onSubmit={share}>
          <input name="userId" aria-label="Share with" placeholder="Share with…" maxLength={100} />
        </form>
      </footer>
    </section>
  )
}

function Sync() {
  const { online, pending } = useStatus()
  const waiting = pending === 0 ? '' : `, ${pending} to be sent`
  return <output data-online={online}>{`${online ? 'Live' : 'Offline'}${waiting}`}</output>
}

/** What the database refused for good is put before the person, never dropped. */
function Refused() {
  const refused = useSetAside()
  const client = useClient()
  if (refused.length === 0) return null
  return (
    <aside role="alert">
      {refused.map(({ id, name, reason }) => (
        <p key={id}>
          {name} was refused: {reason}{' '}
          <button type="button" onClick={() => client.setAside.retry(id)}>
            Try again
          </button>{' '}
          <button type="button" onClick={() => client.setAside.discard(id)}>
            Discard
          </button>
        </p>
      ))}
    </aside>
  )
}

/** What was typed, and an empty field for what comes next. */
function takeText(form: HTMLFormElement, name: string): string {
  const text = String(new FormData(form).get(name) ?? '').trim()
  form.reset()
  return text
}
