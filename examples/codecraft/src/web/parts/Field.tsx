import { type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes, useId } from 'react'

export const controlClass =
  'block w-full rounded-lg border border-line bg-surface px-3 text-base text-ink shadow-card transition-colors hover:border-line-strong focus-visible:border-accent focus-visible:outline-1 focus-visible:outline-offset-0'

interface FieldProps {
  readonly label: string
  /** Said below the control, and read out with it. */
  readonly hint?: string
}

export function TextField({ label, hint, className = '', ...rest }: FieldProps & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field label={label} hint={hint}>
      {(ids) => <input type="text" {...ids} {...rest} className={`${controlClass} h-9 ${className}`} />}
    </Field>
  )
}

export function TextArea({ label, hint, className = '', ...rest }: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field label={label} hint={hint}>
      {(ids) => <textarea {...ids} {...rest} className={`${controlClass} py-2 ${className}`} />}
    </Field>
  )
}

interface Ids {
  readonly id: string
  readonly 'aria-describedby'?: string
}

function Field({ label, hint, children }: { readonly label: string; readonly hint: string | undefined; readonly children: (ids: Ids) => ReactNode }) {
  const id = useId()
  const hintId = `${id}-hint`
  return (
    <div className="mt-4">
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      {children({ id, ...(hint !== undefined && { 'aria-describedby': hintId }) })}
      {hint !== undefined && (
        <p id={hintId} className="mt-1.5 text-xs text-muted">
          {hint}
        </p>
      )}
    </div>
  )
}
