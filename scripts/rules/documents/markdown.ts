// A page of the documentation, as far as rules and the site look at it: its headings, its links and its blocks of code.

export interface Heading {
  readonly slug: string
  readonly line: number
}
export interface Link {
  readonly target: string
  readonly line: number
}
export interface Block {
  /** What stands behind the opening fence: a language, and what is said of the block. */
  readonly info: string
  /** With its last line's end. */
  readonly text: string
  readonly line: number
}
export interface Page {
  readonly headings: readonly Heading[]
  readonly links: readonly Link[]
  readonly blocks: readonly Block[]
}

export function readPage(text: string): Page {
  const [headings, links, blocks]: [Heading[], Link[], Block[]] = [[], [], []]
  const times = new Map<string, number>()
  let open: { readonly info: string; readonly line: number; readonly lines: string[] } | null = null
  for (const [at, content] of text.split('\n').entries()) {
    const line = at + 1
    if (content.startsWith('```')) {
      if (open) blocks.push({ info: open.info, line: open.line, text: open.lines.map((one) => `${one}\n`).join('') })
      open = open ? null : { info: content.slice(3).trim(), line, lines: [] }
      continue
    }
    if (open) {
      open.lines.push(content)
      continue
    }
    const [, title] = /^#{1,6} +(.+?) *$/.exec(content) ?? []
    if (title !== undefined) headings.push({ slug: numbered(slugOf(title), times), line })
    for (const [, target = ''] of content.replace(/`[^`]*`/g, '').matchAll(/\]\(<?([^)\s>]+)>?\)|(?:href|src|link)[=:] ?"?([^"\s>]+)/g)) {
      if (target !== '') links.push({ target, line })
    }
  }
  return { headings, links, blocks }
}

/** The anchor of a heading, as GitHub makes it; the site is told to make the same. */
export const slugOf = (title: string): string =>
  title
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .trim()
    .replaceAll(' ', '-')

function numbered(slug: string, times: Map<string, number>): string {
  const before = times.get(slug) ?? 0
  times.set(slug, before + 1)
  return before === 0 ? slug : `${slug}-${before}`
}
