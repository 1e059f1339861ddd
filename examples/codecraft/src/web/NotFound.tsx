import { SearchX } from 'lucide-react'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { Header } from './Header.tsx'
import { EmptyState } from './parts/EmptyState.tsx'

/** The same for what does not exist and for what one may not see. */
export function NotFound({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <>
      <Header />
      <main>
        <EmptyState
          testId="not-found"
          isPage
          icon={<SearchX aria-hidden size={20} />}
          title={title}
          action={
            <Link href="/" className="text-sm font-medium text-accent hover:underline">
              Back to your projects
            </Link>
          }
        >
          {children}
        </EmptyState>
      </main>
    </>
  )
}
