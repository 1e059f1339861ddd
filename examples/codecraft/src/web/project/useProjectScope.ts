import { useState } from 'react'
import { useScope, useStatus } from '../headwater.ts'

/**
 * Holds the messages and files of a project that is here, while its page is open. They are asked for once nothing that was made
 * on this device waits: the project itself may be among it, and one that the database has not seen is denied.
 */
export function useProjectScope(id: string, isHere: boolean): ReturnType<typeof useScope> {
  const { pending, phase } = useStatus()
  const [isAsked, setAsked] = useState(false)
  const canAsk = isHere && pending === 0 && phase !== 'starting'
  if (canAsk && !isAsked) setAsked(true)
  const state = useScope('project', isAsked ? id : null)
  return isAsked ? state : 'loading'
}
