import type { Ask, Asking, Client, Result } from '@headwater/client'
import type { Mutators, Schema } from '@headwater/schema'
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { useProvidedClient } from './provider.ts'

/** What `select` makes of a query's result. */
export type UseQuerySelect<S extends Schema> = <R, T>(ask: (query: Ask<S>) => Pick<Asking<R>, 'live'>, select: (result: Result<R>) => T) => T

/**
 * A `useQuery` for components that show a part of a result, or what follows from it: they render again when that is something else, and not for every row that
 * changed. Arrays and plain objects are the same where their members are, so that a list of ids may be made anew each time. `select` must be pure; one that is the same
 * function from render to render runs once per result. It is apart from `createHooks`, because few components need it.
 *
 *     const useQuerySelect = createQuerySelect<typeof schema>()
 *     const open = useQuerySelect((q) => q.tasks.where({ isDone: false }), ({ rows }) => rows.length)
 */
export function createQuerySelect<S extends Schema>(): UseQuerySelect<S> {
  return (ask, select) => {
    // The provider above was given the client of this schema: an app has one.
    const { query } = useProvidedClient() as Client<S, Mutators<S>>
    const { subscribe, result, first = result } = ask(query).live()
    // What is on the screen: what says the same later is this.
    const shown = useRef<{ readonly value: ReturnType<typeof select> } | null>(null)
    const [get, getFirst] = useMemo(() => {
      const selected = (from: typeof result) => {
        let known: { readonly result: ReturnType<typeof from>; readonly value: ReturnType<typeof select> } | null = null
        return () => {
          const now = from()
          if (known?.result === now) return known.value
          const value = select(now)
          const before = known ?? shown.current
          known = { result: now, value: before && isSame(before.value, value) ? before.value : value }
          return known.value
        }
      }
      return [selected(result), selected(first)]
    }, [result, first, select])
    const value = useSyncExternalStore(subscribe, get, getFirst)
    useEffect(() => {
      shown.current = { value }
    }, [value])
    return value
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) !== Array.isArray(b)) return false
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && Object.is(a[name], b[name]))
}

/** Of others, as a Map, the members do not tell what is in them. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}
