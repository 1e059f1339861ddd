import { type CSSProperties, type ReactNode, useEffect, useId, useRef, useState } from 'react'

export interface PopoverProps {
  /** What the trigger must spread: it opens and closes the popover by itself. */
  readonly trigger: (props: { readonly popoverTarget: string; readonly 'aria-expanded': boolean }) => ReactNode
  readonly children: (close: () => void) => ReactNode
  readonly label: string
  readonly role?: 'menu' | 'dialog'
  readonly widthPx: number
  readonly onOpened?: (element: HTMLElement) => void
}

const gapPx = 6
const marginPx = 8

/** A panel beside its trigger, in the browser's top layer: nothing clips it, Escape and a click elsewhere close it. */
export function Popover({ trigger, children, label, role = 'dialog', widthPx, onOpened }: PopoverProps) {
  const id = useId()
  const anchor = useRef<HTMLSpanElement>(null)
  const panel = useRef<HTMLDivElement>(null)
  const [style, setStyle] = useState<CSSProperties | null>(null)
  const isOpen = style !== null
  const close = () => panel.current?.hidePopover()

  useEffect(() => {
    if (!isOpen) return
    // The panel does not move with what it belongs to, so it goes when that moves away below it.
    const onScroll = (event: Event) => {
      if (!(event.target instanceof Node && panel.current?.contains(event.target))) panel.current?.hidePopover()
    }
    addEventListener('scroll', onScroll, true)
    return () => removeEventListener('scroll', onScroll, true)
  }, [isOpen])

  return (
    <span ref={anchor} className="inline-flex">
      {trigger({ popoverTarget: id, 'aria-expanded': isOpen })}
      {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: a menu and a dialog, which the role is, both take a name */}
      <div
        ref={panel}
        id={id}
        popover="auto"
        role={role}
        aria-label={label}
        style={{ width: widthPx, ...style }}
        className="scroll-quiet m-0 max-w-[calc(100vw-16px)] overflow-y-auto rounded-xl border border-line bg-surface p-0 text-left text-ink shadow-lifted open:animate-rise"
        onBeforeToggle={(event) => event.newState === 'open' && anchor.current && setStyle(place(anchor.current, widthPx))}
        onToggle={(event) => {
          if (event.newState === 'open') onOpened?.(event.currentTarget)
          // Not before it is closed: the browser gives the focus back only if it is still inside.
          else setStyle(null)
        }}
      >
        {isOpen && children(close)}
      </div>
    </span>
  )
}

/** Below the anchor and level with its right end; above where there is more room, and never outside of the window. */
function place(anchor: HTMLElement, widthPx: number): CSSProperties {
  const { top, bottom, right } = (anchor.firstElementChild ?? anchor).getBoundingClientRect()
  const isBelow = innerHeight - bottom >= Math.min(320, top)
  const rightPx = Math.max(marginPx, Math.min(innerWidth - right, innerWidth - marginPx - widthPx))
  return {
    inset: 'auto',
    right: rightPx,
    maxHeight: (isBelow ? innerHeight - bottom : top) - gapPx - marginPx,
    ...(isBelow ? { top: bottom + gapPx } : { bottom: innerHeight - top + gapPx }),
  }
}
