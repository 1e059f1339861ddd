// What the dashboard shows of a person's projects: kept in the address, so that going back finds the same view.
import { type Project, type ProjectStatus, statuses } from '../../schema.ts'

export const sorts = ['updated', 'created', 'title'] as const
export type Sort = (typeof sorts)[number]
export type StatusFilter = ProjectStatus | 'all'

export interface View {
  readonly status: StatusFilter
  readonly sort: Sort
  readonly search: string
}

export function readView(parameters: URLSearchParams): View {
  const [status, sort] = [parameters.get('status'), parameters.get('sort')]
  return {
    status: statuses.find((one) => one === status) ?? (status === 'all' ? 'all' : 'active'),
    sort: sorts.find((one) => one === sort) ?? 'updated',
    search: parameters.get('search') ?? '',
  }
}

/** Only what is not as at first. */
export function writeView({ status, sort, search }: View): Record<string, string> {
  return { ...(status !== 'active' && { status }), ...(sort !== 'updated' && { sort }), ...(search !== '' && { search }) }
}

export function selectProjects(projects: readonly Project[], { status, sort, search }: View): readonly Project[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const selected = projects.filter((project) => (status === 'all' || project.status === status) && words.every((word) => textOf(project).includes(word)))
  return selected.sort(orders[sort])
}

/** How many projects each filter would show of those that match the search. */
export function countByStatus(projects: readonly Project[], view: View): Readonly<Record<StatusFilter, number>> {
  const of = (status: StatusFilter) => selectProjects(projects, { ...view, status }).length
  return { active: of('active'), paused: of('paused'), archived: of('archived'), all: of('all') }
}

const textOf = ({ title, description, framework }: Project) => `${title} ${description} ${framework}`.toLowerCase()

const byTitle = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
const latest = (a: string, b: string) => (a < b ? 1 : a > b ? -1 : 0)
const orders: Readonly<Record<Sort, (a: Project, b: Project) => number>> = {
  updated: (a, b) => latest(a.updatedAt, b.updatedAt),
  created: (a, b) => latest(a.createdAt, b.createdAt),
  title: (a, b) => byTitle.compare(a.title, b.title),
}
