import { ChevronDown } from 'lucide-react'
import { controlClass } from './Field.tsx'

export interface SelectProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly options: readonly { readonly value: T; readonly label: string }[]
  readonly onChoose: (value: T) => void
  readonly className?: string
  readonly testId?: string
}

/** The browser's own list, with the look of the other controls. */
export function Select<T extends string>({ label, value, options, onChoose, className = '', testId }: SelectProps<T>) {
  return (
    <span className={`relative inline-block ${className}`}>
      <select
        aria-label={label}
        data-testid={testId}
        value={value}
        onChange={(event) => onChoose(options.find((option) => option.value === event.target.value)?.value ?? value)}
        className={`${controlClass} h-9 appearance-none truncate pr-8 text-sm`}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown aria-hidden size={14} className="pointer-events-none absolute top-2.75 right-2.5 text-faint" />
    </span>
  )
}
