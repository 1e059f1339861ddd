// Paths inside a project: `src/main.ts`, from the root, compared as they are written.

export const pathLengthMax = 500
const nameLengthMax = 120

/** Why a path cannot be used, in words for a person; null if it can. */
export function pathProblem(path: string): string | null {
  if (path === '') return 'A name is needed.'
  if (path.length > pathLengthMax) return `A path has at most ${pathLengthMax} characters.`
  for (const name of path.split('/')) {
    if (name.trim() === '') return 'A name between slashes is empty.'
    if (name !== name.trim()) return 'A name cannot start or end with a space.'
    if (name === '.' || name === '..') return `“${name}” is not a name.`
    if (name.length > nameLengthMax) return `A name has at most ${nameLengthMax} characters.`
    if (hasControlCharacter(name) || name.includes('\\')) return 'A name cannot hold a backslash or a control character.'
  }
  return null
}

/** The last part: `main.ts` of `src/main.ts`. */
export const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

/** What a path lies in: `src` of `src/main.ts`; empty at the root. */
export const directoryOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')))

export const join = (directory: string, name: string) => (directory === '' ? name : `${directory}/${name}`)

export const isBelow = (path: string, directory: string) => path.startsWith(`${directory}/`)

/** Every directory that a path lies in, the outermost first: `a`, `a/b` of `a/b/c.ts`. */
export function directoriesOf(path: string): readonly string[] {
  const names = path.split('/').slice(0, -1)
  return names.map((_, i) => names.slice(0, i + 1).join('/'))
}

/** The language of a file by its name, as it is shown and kept; null where the name tells nothing. */
export function languageOf(path: string): string | null {
  const name = nameOf(path).toLowerCase()
  const extension = name.slice(name.lastIndexOf('.') + 1)
  return languages.get(name) ?? languages.get(extension) ?? null
}

const languages = new Map([
  ['astro', 'Astro'],
  ['css', 'CSS'],
  ['dockerfile', 'Dockerfile'],
  ['html', 'HTML'],
  ['js', 'JavaScript'],
  ['json', 'JSON'],
  ['jsx', 'JSX'],
  ['md', 'Markdown'],
  ['mjs', 'JavaScript'],
  ['py', 'Python'],
  ['sh', 'Shell'],
  ['sql', 'SQL'],
  ['svelte', 'Svelte'],
  ['ts', 'TypeScript'],
  ['tsx', 'TSX'],
  ['txt', 'Text'],
  ['vue', 'Vue'],
  ['yaml', 'YAML'],
  ['yml', 'YAML'],
])

function hasControlCharacter(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) < 32 || name.charCodeAt(i) === 127) return true
  return false
}
