import { RefreshCw } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { Button } from '../parts/Button.tsx'
import type { Updates } from './updates.ts'

const words = {
  ready: 'A new version of Codecraft is here.',
  elsewhere: 'Another tab has a new version of Codecraft. This one goes on as it is.',
}

/** That there is a new version, and the way to it; nothing is lost on it. */
export function UpdateNotice({ updates }: { readonly updates: Updates }) {
  const state = useSyncExternalStore(updates.subscribe, updates.get)
  if (state === 'none') return null
  return (
    <div role="status" data-testid="update" className="fixed inset-x-0 bottom-0 z-20 flex justify-center p-4">
      <p className="flex animate-rise items-center gap-3 rounded-xl border border-line bg-surface py-2.5 pr-2.5 pl-4 text-sm shadow-lifted">
        <RefreshCw aria-hidden size={16} className="shrink-0 text-accent" />
        {words[state]}
        <Button size="small" kind="primary" data-testid="update-now" onClick={updates.take}>
          Change over
        </Button>
      </p>
    </div>
  )
}
