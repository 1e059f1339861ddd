// The assistant of the demo: no model and no network, but text of the right shape that has to do with the question. The same question gives the same text.
export interface Question {
  readonly prompt: string
  readonly project: string
  /** Paths of files. */
  readonly files: readonly string[]
}

/** An answer has at most so many tokens; who asks for it “in detail” gets all of them. */
export const tokensMax = 300

/** The whole answer. */
export function answerTo({ prompt, project, files }: Question): string {
  const chance = createChance(`${prompt} ${project}`)
  const subject = subjectOf(prompt)
  const file =
    pick(
      chance,
      files.filter((path) => /\.(tsx?|jsx?|vue|svelte|astro)$/.test(path)),
    ) ?? 'src/main.ts'
  const name = nameOf(subject)
  const parts = [
    pick(chance, openings)?.replace('%', subject) ?? '',
    `What I would change in **${project}**:`,
    steps(chance, file, subject),
    `\`\`\`ts\n// ${file}\nexport interface ${name} {\n  readonly id: string\n  readonly title: string\n  readonly changedAt: string\n}\n\nexport function latest(all: readonly ${name}[]): ${name} | undefined {\n  return all.toSorted((a, b) => b.changedAt.localeCompare(a.changedAt))[0]\n}\n\`\`\``,
    pick(chance, closings) ?? '',
  ]
  if (!/in detail/i.test(prompt)) return parts.join('\n\n')
  while (tokensOf(parts.join('\n\n')).length < tokensMax)
    parts.push(`**${capital(pick(chance, topics) ?? '')}.** ${pick(chance, details)?.replace('%', subject) ?? ''}`)
  return tokensOf(parts.join('\n\n')).slice(0, tokensMax).join('')
}

/** A text in the pieces in which it appears: words with the space before them. */
export const tokensOf = (text: string): readonly string[] => text.match(/\s*\S+/g) ?? []

const openings = [
  'That is a small change with one catch: % is read in two places today, and they would not agree.',
  'Yes. I looked at where % is used, and one place can decide it for all the others.',
  'I would begin with %, because everything else you describe follows from it.',
]
const closings = [
  'Say so if you want it in one commit or in two; the first one could go out by itself.',
  'I have not touched the tests yet. The two that name the old shape would be the first to change.',
  'If that looks right, the next step is the empty state: it is the first thing that somebody new sees.',
]
const topics = ['order', 'an empty list', 'a slow network', 'what is kept', 'names', 'what a test would say', 'the keyboard', 'errors']
const details = [
  'With % nothing is shown before it is there, and what is there stays where it is when more arrives. That keeps the page from jumping.',
  'Two people can change % at once. Each sees their own change at once, and both end with the same.',
  'There is one function that decides about %, it takes plain values and gives plain values, and so its test is a table.',
  'Nothing of % is worked out twice: what follows from the rows is worked out where it is shown.',
]

function steps(chance: () => number, file: string, subject: string): string {
  const all = [
    `read ${subject} once, in \`${file}\`, and pass it down`,
    'give the list a key that does not change when a row moves',
    'keep what was typed until it is saved, also when the page is left',
    `say what is happening while ${subject} loads, and say it once`,
    'put the rule into a function of its own, with a test that is a table',
  ]
  const from = Math.floor(chance() * all.length)
  return [0, 1, 2].map((i) => `${i + 1}. ${all[(from + i) % all.length]}`).join('\n')
}

/** The longest word of what was asked, as it was written. */
function subjectOf(prompt: string): string {
  const words = prompt.match(/[\p{L}][\p{L}\p{N}-]{3,30}/gu) ?? []
  return [...words].sort((a, b) => b.length - a.length)[0]?.toLowerCase() ?? 'the list'
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)
const nameOf = (subject: string) => capital(subject.replace(/[^a-z0-9]/g, '') || 'item')

const pick = <T>(chance: () => number, all: readonly T[]): T | undefined => all[Math.floor(chance() * all.length)]

/** Numbers from 0 to 1 that follow from a text (mulberry32). */
function createChance(text: string): () => number {
  let state = 0
  for (let i = 0; i < text.length; i++) state = (Math.imul(state, 31) + text.charCodeAt(i)) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
