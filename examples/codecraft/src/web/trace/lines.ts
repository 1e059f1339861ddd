// What the trace panel shows of entries, and what it copies.
import type { TraceEntry, TraceKind } from '@headwater/client'

export const kinds: readonly TraceKind[] = ['connection', 'greeting', 'load', 'change', 'mutation', 'scope', 'disk']

export interface TraceFilter {
  /** Shown; all where there is none. */
  readonly kinds: ReadonlySet<TraceKind>
  readonly text: string
}

export function filtered(entries: readonly TraceEntry[], { kinds, text }: TraceFilter): readonly TraceEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return entries.filter((entry) => (kinds.size === 0 || kinds.has(entry.kind)) && words.every((word) => entry.text.toLowerCase().includes(word)))
}

export const timeOf = ({ at }: TraceEntry) => new Date(at).toISOString().slice(11, 23)

/** `4 ms`, `1.3 s`, or nothing for a moment. */
export const tookOf = ({ ms }: TraceEntry) => (ms === null ? '' : ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`)

export const linesOf = (entries: readonly TraceEntry[]) =>
  entries.map((entry) => [timeOf(entry), entry.kind.padEnd(10), entry.text, tookOf(entry)].join('  ').trimEnd()).join('\n')
