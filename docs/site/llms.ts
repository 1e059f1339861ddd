// The documentation for programs that read: llms.txt names every page with what it is about, llms-full.txt is all of them.
import type { PageGroup } from './pages.ts'

const about =
  'Headwater is the engine between a web app and its PostgreSQL, in TypeScript: reads answer from the device, writes show at once, work offline and reach the database exactly once.'

export function llmsIndex(groups: readonly PageGroup[]): string {
  const sections = groups.map(({ text, pages }) => {
    const lines = pages.map(({ title, link, text }) => `- [${title}](${link}.md): ${firstSentence(text)}`)
    return `## ${text}\n\n${lines.join('\n')}\n`
  })
  return `# Headwater\n\n> ${about}\n\n${sections.join('\n')}`
}

export const llmsFull = (groups: readonly PageGroup[]): string =>
  groups.flatMap(({ pages }) => pages.map(({ path, text }) => `<!-- ${path} -->\n\n${text.trim()}\n`)).join('\n\n')

/** Of the first paragraph behind the title; of a decision, of what stands below its first heading. */
function firstSentence(text: string): string {
  const paragraph = text.split(/\n\s*\n/).find((one) => /^[[A-Z`*]/.test(one) && !/^(Date|Status|\*\*Status)/.test(one)) ?? ''
  const plain = paragraph
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  return /^.*?[.:](?= [A-Z`]|$)/.exec(plain)?.[0] ?? plain
}
