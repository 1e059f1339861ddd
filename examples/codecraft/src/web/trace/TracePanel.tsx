import type { TraceKind } from '@headwater/client'
import { Check, Copy, Eraser, X } from 'lucide-react'
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from 'react'
import { IconButton } from '../parts/Button.tsx'
import { filtered, kinds, linesOf, timeOf, tookOf } from './lines.ts'
import type { TraceStore } from './store.ts'

const panelHeight = 'min(40dvh, 360px)'

/** What sync says, hears and writes down, as it happens: to be filtered, and copied for whoever helps. No value of a row is in it. */
export function TracePanel({ trace, onOff }: { readonly trace: TraceStore; readonly onOff: () => void }) {
  const entries = useSyncExternalStore(trace.subscribe, trace.get)
  const [chosen, setChosen] = useState<ReadonlySet<TraceKind>>(() => new Set())
  const [text, setText] = useState('')
  const shown = filtered(entries, { kinds: chosen, text })
  useDocked()
  const toggle = (kind: TraceKind) => setChosen(new Set(chosen.has(kind) ? [...chosen].filter((one) => one !== kind) : [...chosen, kind]))
  return (
    <aside
      aria-label="Trace of sync"
      data-testid="trace-panel"
      style={{ height: panelHeight }}
      className="fixed inset-x-0 bottom-0 z-20 flex flex-col border-t border-line bg-surface shadow-lifted"
    >
      <header className="flex shrink-0 flex-wrap items-center gap-x-2 gap-y-1.5 border-b border-line px-3 py-1.5">
        <h2 className="text-sm font-semibold">Trace</h2>
        <span className="text-xs text-muted tabular-nums">
          {shown.length} of {entries.length}
        </span>
        <fieldset className="flex flex-wrap gap-1">
          <legend className="sr-only">Kinds</legend>
          {kinds.map((kind) => (
            <button
              key={kind}
              type="button"
              aria-pressed={chosen.has(kind)}
              data-testid={`trace-${kind}`}
              onClick={() => toggle(kind)}
              className="h-6 rounded-full border border-line px-2 text-xs text-muted transition-colors hover:border-line-strong hover:text-ink aria-pressed:border-transparent aria-pressed:bg-accent aria-pressed:text-accent-ink pointer-coarse:h-8"
            >
              {kind}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          aria-label="Filter the trace"
          placeholder="Filter"
          data-testid="trace-filter"
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="h-7 w-32 rounded-md border border-line bg-canvas px-2 text-xs"
        />
        <span className="ml-auto flex items-center gap-1">
          <CopyButton text={() => linesOf(shown)} />
          <IconButton label="Clear the trace" onClick={trace.clear}>
            <Eraser aria-hidden size={15} />
          </IconButton>
          <IconButton label="Switch the trace off" data-testid="trace-off" onClick={onOff}>
            <X aria-hidden size={16} />
          </IconButton>
        </span>
      </header>
      <Lines entries={shown} />
    </aside>
  )
}

/** The page ends where the panel begins. */
function useDocked(): void {
  useEffect(() => {
    const { style } = document.documentElement
    style.setProperty('--docked', panelHeight)
    return () => void style.removeProperty('--docked')
  }, [])
}

/** Stays at the end while the reader is there. */
function Lines({ entries }: { readonly entries: ReturnType<TraceStore['get']> }) {
  const element = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  // biome-ignore lint/correctness/useExhaustiveDependencies: new entries are what this runs for
  useLayoutEffect(() => {
    if (element.current && isAtEnd.current) element.current.scrollTop = element.current.scrollHeight
  }, [entries])
  return (
    // A keyboard scrolls what it can focus.
    // biome-ignore-start lint/a11y/noNoninteractiveTabindex: see above
    <div
      ref={element}
      role="log"
      aria-label="Entries"
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24
      }}
      className="scroll-quiet min-h-0 flex-1 overflow-auto px-3 py-1.5 font-mono text-xs"
    >
      {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: see above */}
      {entries.map((entry, i) => (
        // An entry has nothing to be known by but its place, and holds no state.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <p key={i} data-testid="trace-entry" data-kind={entry.kind} className="flex gap-3 whitespace-nowrap">
          <span className="text-faint tabular-nums">{timeOf(entry)}</span>
          <span className="w-20 shrink-0 text-accent">{entry.kind}</span>
          <span className="min-w-0 flex-1 whitespace-pre-wrap">{entry.text}</span>
          <span className="shrink-0 text-muted tabular-nums">{tookOf(entry)}</span>
        </p>
      ))}
    </div>
  )
}

function CopyButton({ text }: { readonly text: () => string }) {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), 2_000)
    return () => clearTimeout(timer)
  }, [isCopied])
  const copy = async () => {
    await navigator.clipboard.writeText(text())
    setCopied(true)
  }
  return (
    // Where the browser forbids it, nothing is copied and nothing says that it was.
    <IconButton label={isCopied ? 'Copied' : 'Copy what is shown'} data-testid="trace-copy" onClick={() => void copy().catch(() => {})}>
      {isCopied ? <Check aria-hidden size={15} /> : <Copy aria-hidden size={15} />}
    </IconButton>
  )
}
