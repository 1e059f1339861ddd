import { Search } from 'lucide-react'
import { controlClass } from '../parts/Field.tsx'
import { Select } from '../parts/Select.tsx'
import type { Sort, StatusFilter, View } from './view.ts'

const filters: readonly { readonly value: StatusFilter; readonly label: string }[] = [
  { value: 'active', label: 'Active' },
  { value: 'paused', label: 'Paused' },
  { value: 'archived', label: 'Archived' },
  { value: 'all', label: 'All' },
]
const sortOptions: readonly { readonly value: Sort; readonly label: string }[] = [
  { value: 'updated', label: 'Last changed' },
  { value: 'created', label: 'Newest' },
  { value: 'title', label: 'Title' },
]

export interface ToolbarProps {
  readonly view: View
  readonly counts: Readonly<Record<StatusFilter, number>>
  readonly onView: (view: View) => void
}

export function Toolbar({ view, counts, onView }: ToolbarProps) {
  return (
    <div className="mt-5 flex flex-wrap items-center gap-x-3 gap-y-2.5">
      <fieldset className="order-2 flex w-full gap-0.5 rounded-lg border border-line bg-sunken p-0.5 sm:order-none sm:w-auto">
        <legend className="sr-only">Status</legend>
        {filters.map(({ value, label }) => (
          <FilterButton key={value} label={label} count={counts[value]} isChosen={view.status === value} onChoose={() => onView({ ...view, status: value })} />
        ))}
      </fieldset>
      <label className="relative min-w-0 flex-1 sm:ml-auto sm:max-w-70">
        <span className="sr-only">Search projects</span>
        <Search aria-hidden size={16} className="pointer-events-none absolute top-2.5 left-3 text-faint" />
        <input
          type="search"
          data-testid="search"
          placeholder="Search"
          value={view.search}
          onChange={(event) => onView({ ...view, search: event.target.value })}
          className={`${controlClass} h-9 pl-9 text-sm`}
        />
      </label>
      <Select label="Sort by" testId="sort" value={view.sort} options={sortOptions} onChoose={(sort) => onView({ ...view, sort })} className="shrink-0" />
    </div>
  )
}

interface FilterButtonProps {
  readonly label: string
  readonly count: number
  readonly isChosen: boolean
  readonly onChoose: () => void
}

function FilterButton({ label, count, isChosen, onChoose }: FilterButtonProps) {
  return (
    <button
      type="button"
      aria-pressed={isChosen}
      data-testid={`filter-${label.toLowerCase()}`}
      onClick={onChoose}
      className="flex h-7.5 flex-1 items-center justify-center gap-1.5 rounded-md px-2.5 text-sm font-medium text-muted transition-colors hover:text-ink aria-pressed:bg-surface aria-pressed:text-ink aria-pressed:shadow-card sm:flex-none sm:px-3"
    >
      {label}
      <span className="text-xs font-normal text-faint tabular-nums">{count}</span>
    </button>
  )
}
