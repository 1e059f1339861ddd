import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Writes, WritesState } from './writes.ts'

export const WritesContext = createContext<Writes | null>(null)

/** Follows what is written: `write('Delete “Notes”', mutate.deleteProject({ id }))`. Nothing needs to be awaited. */
export function useWrite(): Writes['track'] {
  return useWrites().track
}

export function useWrites(): Writes {
  const writes = useContext(WritesContext)
  if (!writes) throw new Error('useWrites is called outside of WritesContext.')
  return writes
}

export function useWritesState(): WritesState {
  const writes = useWrites()
  return useSyncExternalStore(writes.subscribe, writes.get)
}
