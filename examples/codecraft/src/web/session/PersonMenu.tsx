import { LogOut } from 'lucide-react'
import { useState } from 'react'
import { useStatus } from '../headwater.ts'
import { Avatar } from '../parts/Avatar.tsx'
import { Button } from '../parts/Button.tsx'
import { Dialog, DialogButtons } from '../parts/Dialog.tsx'
import { Popover } from '../parts/Popover.tsx'
import { count } from '../sync/describe.ts'
import { usePerson, useSession } from './SessionContext.ts'

/** Who is signed in, and the way out. Work that the database does not have yet is never dropped without asking. */
export function PersonMenu() {
  const person = usePerson()
  const { session } = useSession()
  const { pending, setAside } = useStatus()
  const [isAsking, setAsking] = useState(false)
  const unsynced = pending + setAside
  const leave = () => (unsynced > 0 ? setAsking(true) : void session.signOut())
  return (
    <>
      <Popover
        label="You"
        widthPx={230}
        trigger={(props) => (
          <button type="button" aria-label={`You are ${person.name}`} data-testid="person" className="rounded-full" {...props}>
            <Avatar person={person} size="medium" />
          </button>
        )}
      >
        {(close) => (
          <>
            <div className="border-b border-line px-4 py-3">
              <p className="text-sm font-medium">{person.name}</p>
              <p className="truncate text-xs text-muted">{person.email}</p>
            </div>
            <div className="p-1">
              <button
                type="button"
                data-testid="sign-out"
                className="flex w-full items-center gap-2.5 rounded-lg px-3 py-1.5 text-left text-sm hover:bg-hover focus-visible:-outline-offset-2"
                onClick={() => {
                  close()
                  leave()
                }}
              >
                <LogOut aria-hidden size={16} className="text-faint" />
                Sign out
              </button>
            </div>
          </>
        )}
      </Popover>
      {isAsking && <UnsyncedDialog unsynced={unsynced} onClose={() => setAsking(false)} onLeave={() => void session.signOut()} />}
    </>
  )
}

function UnsyncedDialog({ unsynced, onClose, onLeave }: { readonly unsynced: number; readonly onClose: () => void; readonly onLeave: () => void }) {
  return (
    <Dialog title="Sign out and lose work?" onClose={onClose} testId="unsynced-dialog">
      <p className="text-muted">
        {count(unsynced, 'change')} of yours {unsynced === 1 ? 'is' : 'are'} on this device only. Signing out removes everything of yours from it, and so would
        lose {unsynced === 1 ? 'it' : 'them'}.
      </p>
      <DialogButtons>
        <Button onClick={onClose}>Stay signed in</Button>
        <Button kind="danger" data-testid="sign-out-anyway" onClick={onLeave}>
          Sign out anyway
        </Button>
      </DialogButtons>
    </Dialog>
  )
}
