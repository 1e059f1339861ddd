// Rules on files as such: their names, their sizes, and text that must be in none of them.
import { type Finding, lineAt, type SourceFile } from './finding.ts'

const linesMax = 400
const isCode = (path: string) => /\.(ts|tsx|mjs|js|css|sql)$/.test(path)
const emptyNames = /(^|\/)(utils?|helpers?|types|commons?|misc|shared)(\.[a-z.]+)?(\/|$)/i

interface TextRule {
  readonly pattern: RegExp
  readonly what: string
  readonly why: string
  /** Files that the rule does not read. */
  readonly except?: RegExp
}

/** The rules' own files and tests hold what they look for. */
const ownFiles = /^scripts\/rules/
const textRules: readonly TextRule[] = [
  {
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/g,
    what: 'unfinished work',
    why: 'Finish it, or say in docs/decisions what is left out and why.',
    except: /^LICENSE$|package-lock/,
  },
  { pattern: /@ts-(ignore|nocheck)\b/g, what: 'an error hidden from the compiler', why: 'Correct the type. In a test of types, say @ts-expect-error and why.' },
  {
    pattern: /(?<![\w/.@-])(\/(home|Users)\/[a-z][\w.-]*|\/root|\/work)\/[\w.-]+/g,
    what: 'a path of one machine',
    why: 'Work it out from the file, the working directory or the temporary folder.',
  },
  { pattern: /(?<![\w])[A-Z]:\\+Users\\/g, what: 'a path of one machine', why: 'Work it out from the file, the working directory or the temporary folder.' },
  {
    pattern: /https?:\/\/[\w.:@-]*(registry|artifactory|nexus|verdaccio|npm-proxy|mirror)[\w.:-]*\/?/gi,
    what: 'the address of a registry',
    why: 'Whoever installs has their own. Remove it (npm_config_omit_lockfile_registry_resolved=true).',
  },
  {
    pattern: /"resolved": "(?!packages\/|examples\/)[^"]+"/g,
    what: 'the address of a registry',
    why: 'Install with npm_config_omit_lockfile_registry_resolved=true.',
    except: /^(?!(docs\/site\/)?package-lock\.json$)/,
  },
]

export function checkFile(file: SourceFile): readonly Finding[] {
  return [...checkName(file), ...checkLength(file), ...textRules.flatMap((rule) => checkText(file, rule))]
}

function checkName({ path }: SourceFile): readonly Finding[] {
  if (!isCode(path) || path.includes('.test.') || !emptyNames.test(path)) return []
  return [{ path, line: 1, what: 'a name that says nothing', why: 'Name the file after the idea in it (STYLE 2).' }]
}

/** Longer than `linesMax` only with a reason in the file's first line. */
function checkLength({ path, text }: SourceFile): readonly Finding[] {
  const lines = text.split('\n').length - 1
  if (!isCode(path) || lines <= linesMax || /^(\/\/|\/\*|--) Size: \S+/.test(text)) return []
  return [
    {
      path,
      line: linesMax,
      what: `${lines} lines`,
      why: `Split it where an idea ends, or open it with "// Size: <reason>" (aim for 150, at most ${linesMax}).`,
    },
  ]
}

function checkText({ path, text }: SourceFile, { pattern, what, why, except }: TextRule): readonly Finding[] {
  if (ownFiles.test(path) || except?.test(path)) return []
  return Array.from(text.matchAll(pattern), (match) => ({ path, line: lineAt(text, match.index), what: `${what} (${match[0].slice(0, 60)})`, why }))
}
