import { useSyncExternalStore } from 'react'
import { useRoute } from 'wouter'
import { useClient, useQuery, useSetAside, useStatus } from '../headwater.ts'
import { describeKind, type Held, type Kind, kindsOf } from './kinds.ts'

/** How each kind of data stands. */
export function KindList() {
  const kinds = useKinds()
  return (
    <dl className="space-y-1.5 px-4 py-3 text-sm">
      {kinds.map((kind) => (
        <div
          key={kind.name}
          data-testid={`kind-${kind.name}`}
          data-held={kind.held}
          data-waiting={kind.waiting}
          data-refused={kind.refused}
          className="flex gap-3"
        >
          <dt className="w-20 shrink-0 capitalize">{kind.name}</dt>
          <dd className={`min-w-0 flex-1 ${lookOf(kind)}`}>{describeKind(kind)}</dd>
          <dd className="shrink-0 text-faint tabular-nums">{kind.rows} here</dd>
        </div>
      ))}
    </dl>
  )
}

const lookOf = ({ refused, waiting }: Kind) => (refused > 0 ? 'text-danger' : waiting > 0 ? 'text-warn' : 'text-muted')

function useKinds(): readonly Kind[] {
  const client = useClient()
  const setAside = useSetAside()
  // The state of a scope changes with the status.
  useStatus()
  const pending = useSyncExternalStore(client.pending.subscribe, client.pending.get)
  const projects = useQuery((q) => q.projects)
  const messages = useQuery((q) => q.messages)
  const files = useQuery((q) => q.files)
  const [isOpen, route] = useRoute('/projects/:id')
  const ofProject: Held = isOpen && route ? heldOf(client.scopeState('project', route.id)) : 'onDemand'
  return kindsOf({
    pending,
    setAside,
    held: { projects: projects.state === 'loading' ? 'loading' : 'here', messages: ofProject, files: ofProject },
    rows: { projects: projects.rows.length, messages: messages.rows.length, files: files.rows.length },
  })
}

const heldOf = (state: 'loading' | 'ready' | 'denied'): Held => (state === 'ready' ? 'here' : state)
