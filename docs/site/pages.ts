// The pages of the documentation, in the order in which they are read. `npm run docs` and its site, llms.txt and the tests take them from here.
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import groups from './pages.json' with { type: 'json' }

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Documents outside of docs/ that its pages link to, and what they are called on the site. */
export const elsewhere = {
  'CHANGELOG.md': 'changelog.md',
  'packages/protocol/SPEC.md': 'protocol.md',
  'bench/README.md': 'figures.md',
  'CONTRIBUTING.md': 'contributing.md',
}

/** Where a link of a page leads on the site; null: to no page of it. Those between pages of one folder stay as they are. */
export function siteLink(from: string, target: string): string | null {
  if (/^(https?:|mailto:|#)/.test(target)) return target
  const [file = '', anchor] = target.split('#', 2)
  const path = posix.normalize(posix.join(posix.dirname(from), file))
  const end = anchor === undefined ? '' : `#${anchor}`
  const other = Object.entries(elsewhere).find(([one]) => one === path)?.[1]
  if (other !== undefined) return `/${other.replace(/\.md$/, '')}${end}`
  if (path.startsWith('docs/')) return path.endsWith('.md') ? `/${path.slice('docs/'.length, -'.md'.length)}${end}` : target
  return null
}

export interface PageGroup {
  readonly text: string
  readonly pages: readonly DocumentPage[]
}
export interface DocumentPage {
  /** Relative to the root of the repository. */
  readonly path: string
  /** On the site, without its end. */
  readonly link: string
  readonly title: string
  readonly text: string
}

/** Groups as pages.json has them, of those pages that are there; then the decisions, and whatever nobody has put into a group. */
export function pageGroups(): readonly PageGroup[] {
  const there = new Set(markdownIn('docs').filter((name) => name !== 'index'))
  const listed = groups.map(({ text, pages }) => ({
    text,
    pages: pages.filter((name) => there.delete(name)).map((name) => page(`docs/${name}.md`, `/${name}`)),
  }))
  const decisions = markdownIn('docs/decisions').filter((name) => !name.startsWith('0000'))
  const rest = [...there].map((name) => page(`docs/${name}.md`, `/${name}`))
  const others = Object.entries(elsewhere).map(([path, name]) => page(path, `/${name.replace(/\.md$/, '')}`))
  return [
    ...listed,
    { text: 'Also', pages: [...rest, ...others] },
    { text: 'Decisions', pages: decisions.map((name) => page(`docs/decisions/${name}.md`, `/decisions/${name}`)) },
  ]
}

const markdownIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => name.slice(0, -3))
    .sort()

function page(path: string, link: string): DocumentPage {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, link, text, title: /^# +(.+)$/m.exec(text)?.[1] ?? path }
}
