import type { ReactNode } from 'react'

export interface EmptyStateProps {
  readonly icon: ReactNode
  readonly title: string
  readonly children: ReactNode
  readonly action?: ReactNode
  readonly testId?: string
  /** It is all of the page. */
  readonly isPage?: boolean
}

/** What stands where there is nothing: why, and what to do about it. */
export function EmptyState({ icon, title, children, action, testId, isPage = false }: EmptyStateProps) {
  const Heading = isPage ? 'h1' : 'h2'
  return (
    <div data-testid={testId} className="mx-auto flex max-w-90 flex-col items-center px-6 py-14 text-center">
      <span className="mb-4 flex size-11 items-center justify-center rounded-xl bg-accent-soft text-accent">{icon}</span>
      <Heading className="text-lg font-semibold tracking-tight">{title}</Heading>
      <p className="mt-1 text-sm text-pretty text-muted">{children}</p>
      {action && <div className="mt-5">{action}</div>}
    </div>
  )
}
