import { X } from 'lucide-react'
import { type ReactNode, useEffect, useId, useRef } from 'react'
import { IconButton } from './Button.tsx'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
  readonly testId?: string
  readonly isWide?: boolean
}

/** A modal dialog, open for as long as it is rendered. The browser keeps the focus inside and gives it back after. */
export function Dialog({ title, onClose, children, testId, isWide = false }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const dialog = element.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])

  return (
    // A click on the backdrop is a click on the dialog itself; the keyboard's way out is Escape, which the browser handles.
    // biome-ignore lint/a11y/useKeyWithClickEvents: see above
    <dialog
      ref={element}
      aria-labelledby={titleId}
      data-testid={testId}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => event.target === element.current && onClose()}
      className={`m-auto w-[calc(100vw-24px)] ${isWide ? 'max-w-240' : 'max-w-115'} rounded-2xl border border-line bg-surface p-0 text-ink shadow-lifted open:animate-rise`}
    >
      <div className="flex items-center justify-between gap-4 px-5 pt-4">
        <h2 id={titleId} className="text-lg font-semibold tracking-tight">
          {title}
        </h2>
        <IconButton label="Close" onClick={onClose} className="-mr-1.5">
          <X aria-hidden size={16} />
        </IconButton>
      </div>
      <div className="px-5 pt-2 pb-5">{children}</div>
    </dialog>
  )
}

/** The row of buttons at a dialog's end; the one that goes on stands last. */
export const DialogButtons = ({ children }: { readonly children: ReactNode }) => <div className="mt-6 flex flex-wrap justify-end gap-2">{children}</div>
