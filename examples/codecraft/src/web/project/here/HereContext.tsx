import { usePresence } from '@headwater/react'
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react'
import { usePerson } from '../../session/SessionContext.ts'
import { type Mine, type Other, othersOf } from './here.ts'

const OthersContext = createContext<readonly Other[]>([])
const SayContext = createContext<(changed: Partial<Mine>) => void>(() => {})

export interface HereProps {
  /** null: the database may not know of it yet, so nobody else can be there. */
  readonly projectId: string | null
  readonly children: ReactNode
}

/** Says of this device that it is in the project, for as long as it is shown, and knows who else is. Two contexts: who says something does not hear it. */
export function Here({ projectId, children }: HereProps) {
  const [mine, setMine] = useState<Mine>({ isTyping: false, file: null, anchor: 0, head: 0 })
  const gathering = usePresence('project', projectId, { ...mine })
  const others = useMemo(() => othersOf(gathering), [gathering])
  const say = useCallback((changed: Partial<Mine>) => setMine((before) => ({ ...before, ...changed })), [])
  return (
    <SayContext value={say}>
      <OthersContext value={others}>{children}</OthersContext>
    </SayContext>
  )
}

/** Everybody else's devices in the project, and one's own other ones. */
export const useOthers = () => useContext(OthersContext)

export const useSay = () => useContext(SayContext)

/** Other people; not this person's own other devices. */
export function useOtherPeople(): readonly Other[] {
  const me = usePerson()
  const others = useOthers()
  return useMemo(() => others.filter(({ user }) => user !== me.id), [others, me.id])
}
