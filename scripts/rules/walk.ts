import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SourceFile } from './finding.ts'

/** What .gitignore leaves out, and what is not text. */
const skippedFolders = new Set(['node_modules', 'dist', '.git', '.headwater', 'coverage', 'results', '.temp'])
const isText = (name: string) =>
  /\.(ts|tsx|mjs|js|json|jsonc|md|css|html|sql|yml|yaml|svg|sh|conf|service)$|^(\.npmrc|\.gitignore|LICENSE|run|Caddyfile|Containerfile)$/.test(name)

/** Every text file below `root`, in a fixed order. */
export function* sourceFiles(root: string, folder = ''): Generator<SourceFile> {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = folder ? `${folder}/${entry.name}` : entry.name
    if (entry.isDirectory() && !skippedFolders.has(entry.name)) yield* sourceFiles(root, path)
    if (entry.isFile() && isText(entry.name)) yield { path, text: readFileSync(join(root, path), 'utf8') }
  }
}
