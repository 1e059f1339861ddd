import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { Logo } from './parts/Logo.tsx'
import { PersonMenu } from './session/PersonMenu.tsx'
import { SyncStatus } from './sync/SyncStatus.tsx'

/** The bar on top of every page: where one is, how sync stands, who one is. */
export function Header({ children }: { readonly children?: ReactNode }) {
  return (
    <header className="sticky top-0 z-10 border-b border-line bg-canvas/85 backdrop-blur-md">
      <div className="flex h-13 items-center gap-3 px-4 sm:px-6">
        {children ?? (
          <Link href="/" aria-label="Codecraft, your projects" className="rounded-lg">
            <Logo />
          </Link>
        )}
        <div className="ml-auto flex shrink-0 items-center gap-3">
          <SyncStatus />
          <PersonMenu />
        </div>
      </div>
    </header>
  )
}
