// The site: every page of docs/ as it stands, with those few documents from elsewhere that they link to.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { slugOf } from '../../../scripts/rules/documents/markdown.ts'
import { sourceFiles } from '../../../scripts/rules/walk.ts'
import { llmsFull, llmsIndex } from '../llms.ts'
import { elsewhere, pageGroups, root, siteLink } from '../pages.ts'

const groups = pageGroups()
const pages = new Set(['docs/index.md', ...groups.flatMap(({ pages }) => pages.map(({ path }) => path))])
const others = Array.from(sourceFiles(root), ({ path }) => path).filter((path) => path.endsWith('.md') && !pages.has(path))
const sidebar = groups.map(({ text, pages }) => ({
  text,
  collapsed: text === 'Decisions' ? true : undefined,
  items: pages.map(({ title, link }) => ({ text: title.replace(/^(\d{4})\W+/, ''), link })),
}))

export default defineConfig({
  srcDir: root,
  outDir: fileURLToPath(new URL('../dist', import.meta.url)),
  cacheDir: fileURLToPath(new URL('../node_modules/.cache/site', import.meta.url)),
  // Files of that name would be read as configurations of folders.
  srcExclude: [...others, '**/config.ts'],
  rewrites: { ...elsewhere, 'docs/:path*': ':path*' },
  title: 'Headwater',
  description: 'One truth in PostgreSQL, an instant copy on every device.',
  lang: 'en',
  cleanUrls: true,
  head: [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: '/icon.svg' }],
    ['meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }],
  ],
  vite: {
    build: { assetsInlineLimit: 0 },
    publicDir: fileURLToPath(new URL('../public', import.meta.url)),
    // Pages lie outside of the folder that has these.
    resolve: { alias: [{ find: /^vue(\/server-renderer)?$/, replacement: fileURLToPath(new URL('../node_modules/vue$1', import.meta.url)) }] },
  },
  markdown: {
    anchor: { slugify: slugOf },
    config: (markdown) => {
      markdown.core.ruler.push('links', ({ tokens, env }) => {
        // A title is read apart, and has no place.
        if (env.path === undefined) return
        const from = relative(root, env.realPath ?? env.path).replaceAll('\\', '/')
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === 'link_open' ? token.attrGet('href') : null
          if (href !== null) token.attrSet('href', siteLink(from, href) ?? href)
        }
      })
    },
  },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    sidebar,
    nav: [
      { text: 'Guide', link: '/start', activeMatch: '^/(?!decisions|changelog|figures|comparison|$)' },
      { text: 'Comparison', link: '/comparison' },
      { text: 'Figures', link: '/figures' },
      { text: 'Changelog', link: '/changelog' },
    ],
    footer: { message: 'Apache-2.0', copyright: 'llms.txt and llms-full.txt have these pages as text.' },
  },
  /** Each page is there as text as well, under its address with .md behind it. */
  buildEnd: ({ outDir }) => {
    const write = (name: string, text: string) => {
      mkdirSync(join(outDir, name, '..'), { recursive: true })
      writeFileSync(join(outDir, name), text)
    }
    write('llms.txt', llmsIndex(groups))
    write('llms-full.txt', llmsFull(groups))
    for (const { pages } of groups) for (const { link, text } of pages) write(`${link}.md`, text)
  },
})
