import type { Status } from '@headwater/client'

/** Resolves when the device has everything. */
export const untilLive = ({ status }: { readonly status: { get(): Status; subscribe(run: () => void): () => void } }) =>
  until(status, () => status.get().phase === 'live')

/** Resolves as soon as the condition holds; it is looked at whenever the value changes. */
export function until(value: { subscribe(run: () => void): () => void }, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!holds()) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = value.subscribe(look)
    look()
  })
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
