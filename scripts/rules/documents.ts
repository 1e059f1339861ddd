// Rules on the documentation as a whole, which the code must not outgrow: its links, its blocks of code, the codes of errors, the limits, and what packages say of themselves.
import { checkBlocks } from './documents/blocks.ts'
import { checkCodes } from './documents/codes.ts'
import { checkLimits } from './documents/limits.ts'
import { checkLinks } from './documents/links.ts'
import { checkPackages } from './documents/packages.ts'
import type { Finding, SourceFile } from './finding.ts'

export function checkDocuments(files: readonly SourceFile[], root: string): readonly Finding[] {
  const documents = files.filter(({ path }) => path.endsWith('.md'))
  return [...checkLinks(documents, root), ...checkBlocks(files), ...checkCodes(files), ...checkLimits(files), ...checkPackages(files)]
}
