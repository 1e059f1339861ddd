import { type FormEvent, useState } from 'react'

export function SignIn({ onSignedIn }: { readonly onSignedIn: (name: string) => void }) {
  const [problem, setProblem] = useState('')

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const name = new FormData(event.currentTarget).get('name')
    const response = await fetch('/api/sign-in', { method: 'POST', body: JSON.stringify({ name }) }).catch(() => null)
    const answer = await response?.json().catch(() => null)
    if (response?.ok) onSignedIn(answer.name)
    else setProblem(answer?.error ?? 'The server does not answer.')
  }

  return (
    <main className="sign-in">
      <h1>Lists</h1>
      <p>Say who you are. Try ada, and grace in another browser: they share a list.</p>
      <form onSubmit={submit}>
        <label>
          Name
          <input name="name" autoComplete="username" />
        </label>
        <button type="submit">Sign in</button>
      </form>
      <p role="alert">{problem}</p>
    </main>
  )
}
