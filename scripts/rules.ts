// The rules of this repository that no other tool knows. Run: npm run rules
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkCode } from './rules/code.ts'
import { checkDocuments } from './rules/documents.ts'
import { checkFile } from './rules/files.ts'
import { printed } from './rules/finding.ts'
import { sourceFiles } from './rules/walk.ts'
import { avoidedWords, checkWords } from './rules/words.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const words = avoidedWords(readFileSync(join(root, 'docs/WORDS.md'), 'utf8'))
const files = [...sourceFiles(root)]
const findings = [
  ...files.flatMap((file) => [...checkFile(file), ...(/\.tsx?$/.test(file.path) ? checkCode(file) : []), ...checkWords(file, words)]),
  ...checkDocuments(files, root),
]

for (const finding of findings) console.error(printed(finding))
console.log(findings.length === 0 ? `rules: ${files.length} files, nothing to say` : `rules: ${findings.length} findings in ${files.length} files`)
process.exitCode = findings.length === 0 ? 0 : 1
