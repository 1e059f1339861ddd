import type { SetAside } from '@headwater/client'
import { useClient, useSetAside } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { Time } from '../parts/Time.tsx'
import { describeMutation } from './describe.ts'
import { useWrite } from './WritesContext.ts'

/** What the database refused for good: each with its reason, to be tried again or given up. */
export function RefusedList() {
  const refused = useSetAside()
  if (refused.length === 0) return null
  return (
    <ul className="divide-y divide-line">
      {refused.map((one) => (
        <Refused key={one.id} refused={one} />
      ))}
    </ul>
  )
}

function Refused({ refused }: { readonly refused: SetAside }) {
  const { setAside } = useClient()
  const write = useWrite()
  const label = describeMutation(refused)
  const retry = async () => write(label, await setAside.retry(refused.id))
  return (
    <li data-testid="refused" data-code={refused.code} className="px-4 py-3">
      <div className="flex items-baseline justify-between gap-3">
        <p className="min-w-0 text-sm font-medium break-words">{label}</p>
        <Time at={refused.at} className="shrink-0 text-xs text-faint" />
      </div>
      <p className="mt-0.5 text-sm break-words text-danger">{refused.reason}</p>
      <div className="mt-2.5 flex gap-2">
        <Button size="small" data-testid="retry" onClick={() => void retry()}>
          Try again
        </Button>
        <Button size="small" kind="ghost" data-testid="discard" onClick={() => void setAside.discard(refused.id)}>
          Discard
        </Button>
      </div>
    </li>
  )
}
