import type { MutationState } from '@headwater/client'
import { Check, CircleAlert, CloudOff, LoaderCircle } from 'lucide-react'
import type { ReactNode } from 'react'
import { useStatus } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { Popover } from '../parts/Popover.tsx'
import { useSession } from '../session/SessionContext.ts'
import { count, describeStatus, type Tone } from './describe.ts'
import { KindList } from './KindList.tsx'
import { RefusedList } from './RefusedList.tsx'
import { useSwitchTrace } from './useSwitchTrace.ts'
import { useWritesState } from './WritesContext.ts'

const tones: Readonly<Record<Tone, { readonly icon: ReactNode; readonly look: string }>> = {
  calm: { icon: <Check aria-hidden size={14} className="text-accent" />, look: 'border-line text-muted' },
  busy: { icon: <LoaderCircle aria-hidden size={14} className="animate-spin text-accent" />, look: 'border-line text-muted' },
  waiting: { icon: <CloudOff aria-hidden size={14} />, look: 'border-transparent bg-warn-soft text-warn' },
  refused: { icon: <CircleAlert aria-hidden size={14} />, look: 'border-transparent bg-danger-soft text-danger' },
}

/** How sync stands, as a pill; in its panel what waits, and what was refused and wants a decision. */
export function SyncStatus() {
  const status = useStatus()
  const said = describeStatus(status)
  const { icon, look } = tones[said.tone]
  return (
    <Popover
      label="Sync"
      widthPx={340}
      trigger={(props) => (
        <button
          type="button"
          data-testid="sync-status"
          data-phase={status.phase}
          data-online={status.online}
          data-pending={status.pending}
          data-set-aside={status.setAside}
          aria-label={`Sync: ${said.short}`}
          className={`inline-flex h-7 shrink-0 items-center gap-1.5 rounded-full border px-2.5 text-xs font-medium whitespace-nowrap tabular-nums transition-colors hover:border-line-strong ${look}`}
          {...props}
        >
          {icon}
          {said.short}
        </button>
      )}
    >
      {() => (
        <div data-testid="sync-panel" className="divide-y divide-line">
          <p className="px-4 py-3 text-sm text-muted">{said.long}</p>
          <RefusedList />
          <KindList />
          <WaitingList pending={status.pending} />
          <TraceSwitch />
        </div>
      )}
    </Popover>
  )
}

function TraceSwitch() {
  const { trace } = useSession()
  const switchTrace = useSwitchTrace()
  return (
    <p className="flex items-center justify-between gap-3 px-4 py-2.5 text-xs text-muted">
      {trace ? 'What sync does is written down.' : 'Write down what sync does, and show it.'}
      <Button size="small" data-testid="switch-trace" onClick={() => switchTrace(!trace)}>
        {trace ? 'Switch off' : 'Trace'}
      </Button>
    </p>
  )
}

const shown = 6
const stateNames: Readonly<Record<MutationState, string>> = { made: 'saving', saved: 'kept here', sent: 'sent', confirmed: 'done' }

function WaitingList({ pending }: { readonly pending: number }) {
  const { waiting } = useWritesState()
  const listed = waiting.slice(0, shown)
  const others = pending - listed.length
  if (pending === 0) return null
  return (
    <section className="px-4 py-3">
      <h3 className="text-xs font-medium text-muted">Waiting</h3>
      <ul className="mt-1.5 space-y-1">
        {listed.map(({ id, label, state }) => (
          <li key={id} data-testid="waiting" className="flex items-baseline justify-between gap-3 text-sm">
            <span className="truncate">{label}</span>
            <span className="shrink-0 text-xs text-faint">{stateNames[state]}</span>
          </li>
        ))}
        {others > 0 && (
          <li className="text-sm text-muted">
            {listed.length > 0 ? 'and ' : ''}
            {count(others, 'change')} made {listed.length === shown ? 'since' : 'before this page was opened'}
          </li>
        )}
      </ul>
    </section>
  )
}
