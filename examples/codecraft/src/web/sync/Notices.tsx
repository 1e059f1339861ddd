import { CircleAlert, X } from 'lucide-react'
import { IconButton } from '../parts/Button.tsx'
import { useWrites, useWritesState } from './WritesContext.ts'

/** What this device would not take, said where it is seen and read out at once. */
export function Notices() {
  const { dismiss } = useWrites()
  const { notices } = useWritesState()
  return (
    <div role="alert" className="pointer-events-none fixed inset-x-0 bottom-0 z-20 flex flex-col items-center gap-2 p-4">
      {notices.map((notice) => (
        <div
          key={notice.id}
          data-testid="notice"
          className="pointer-events-auto flex w-full max-w-105 animate-rise items-start gap-3 rounded-xl border border-line bg-surface py-3 pr-2 pl-4 shadow-lifted"
        >
          <CircleAlert aria-hidden size={16} className="mt-0.5 shrink-0 text-danger" />
          <div className="min-w-0 flex-1">
            <p className="text-sm font-medium">{notice.title}: not done</p>
            <p className="text-sm break-words text-muted">{notice.reason}</p>
          </div>
          <IconButton label="Dismiss" onClick={() => dismiss(notice.id)}>
            <X aria-hidden size={16} />
          </IconButton>
        </div>
      ))}
    </div>
  )
}
