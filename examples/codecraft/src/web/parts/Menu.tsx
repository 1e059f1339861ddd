import { EllipsisVertical } from 'lucide-react'
import type { KeyboardEvent, ReactNode } from 'react'
import { IconButton } from './Button.tsx'
import { Popover } from './Popover.tsx'

export interface MenuItem {
  readonly label: string
  readonly icon: ReactNode
  readonly onChoose: () => void
  readonly isDangerous?: boolean
  readonly testId?: string
}

/** A button that opens a list of things to do. Groups are drawn apart. */
export function Menu({
  label,
  groups,
  className = '',
}: {
  readonly label: string
  readonly groups: readonly (readonly MenuItem[])[]
  readonly className?: string
}) {
  return (
    <Popover
      label={label}
      role="menu"
      widthPx={190}
      onOpened={(menu) => menu.querySelector('button')?.focus()}
      trigger={(props) => (
        <IconButton label={label} aria-haspopup="menu" className={className} data-testid="menu" {...props}>
          <EllipsisVertical aria-hidden size={16} />
        </IconButton>
      )}
    >
      {(close) => (
        // The menu itself takes the arrow keys for all of its items.
        // biome-ignore lint/a11y/noStaticElementInteractions: the role is on the popover around it
        <div onKeyDown={moveFocus} className="divide-y divide-line">
          {groups
            .filter((group) => group.length > 0)
            .map((group) => (
              <div key={group[0]?.label} className="p-1">
                {group.map((item) => (
                  <Item key={item.label} item={item} close={close} />
                ))}
              </div>
            ))}
        </div>
      )}
    </Popover>
  )
}

function Item({ item, close }: { readonly item: MenuItem; readonly close: () => void }) {
  const choose = () => {
    close()
    item.onChoose()
  }
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      data-testid={item.testId}
      onClick={choose}
      className={`flex w-full items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-left text-sm outline-none focus:bg-hover ${item.isDangerous ? 'text-danger' : ''} hover:bg-hover`}
    >
      <span className={item.isDangerous ? '' : 'text-faint'}>{item.icon}</span>
      {item.label}
    </button>
  )
}

function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const items: readonly HTMLElement[] = [...event.currentTarget.querySelectorAll('button')]
  const at = items.findIndex((item) => item.matches(':focus'))
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]
  if (to === undefined) return
  event.preventDefault()
  items[(to + items.length) % items.length]?.focus()
}
