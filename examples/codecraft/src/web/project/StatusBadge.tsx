import type { ProjectStatus } from '../../schema.ts'

const looks: Readonly<Record<ProjectStatus, { readonly label: string; readonly look: string }>> = {
  active: { label: 'Active', look: 'bg-accent-soft text-accent' },
  paused: { label: 'Paused', look: 'bg-warn-soft text-warn' },
  archived: { label: 'Archived', look: 'bg-sunken text-muted' },
}

export function StatusBadge({ status }: { readonly status: ProjectStatus }) {
  const { label, look } = looks[status]
  return <span className={`inline-flex h-5 items-center rounded-full px-2 text-2xs font-medium ${look}`}>{label}</span>
}
