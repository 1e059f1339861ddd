// The little markup that messages use: fenced code, lists, `code` and **strong** text. All else is text.

export type Inline = { readonly type: 'text' | 'code' | 'strong'; readonly text: string }
export type Block =
  | { readonly type: 'paragraph'; readonly inlines: readonly Inline[] }
  | { readonly type: 'list'; readonly items: readonly (readonly Inline[])[]; readonly isOrdered: boolean }
  | { readonly type: 'code'; readonly language: string; readonly text: string }

/** A message as blocks. A fence that is not closed, as while an answer arrives, runs to the end. */
export function blocksOf(content: string): readonly Block[] {
  // The split leaves text at even places, and at odd ones what stood between two fences.
  return content.split(/^```/m).flatMap((piece, i) => (i % 2 === 1 ? [codeOf(piece)] : textBlocks(piece)))
}

function codeOf(piece: string): Block {
  const end = piece.indexOf('\n')
  if (end === -1) return { type: 'code', language: piece.trim(), text: '' }
  return { type: 'code', language: piece.slice(0, end).trim(), text: piece.slice(end + 1).replace(/\n$/, '') }
}

function textBlocks(piece: string): readonly Block[] {
  return piece
    .split(/\n{2,}/)
    .map((text) => text.replace(/^\n+|\n+$/g, ''))
    .filter((text) => text.trim() !== '')
    .flatMap(listsApart)
    .map(blockOf)
}

/** A paragraph that runs into a list without an empty line, as people write it, is two blocks. */
function listsApart(text: string): readonly string[] {
  const groups: string[][] = []
  let wasItem: boolean | null = null
  for (const line of text.split('\n')) {
    const isItem = itemPattern.test(line)
    if (isItem === wasItem) groups.at(-1)?.push(line)
    else groups.push([line])
    wasItem = isItem
  }
  return groups.map((lines) => lines.join('\n'))
}

const itemPattern = /^\s*([-*]|\d+\.) /

function blockOf(text: string): Block {
  if (!itemPattern.test(text)) return { type: 'paragraph', inlines: inlinesOf(text) }
  const items = text.split('\n').map((line) => inlinesOf(line.replace(itemPattern, '')))
  return { type: 'list', items, isOrdered: /^\s*\d/.test(text) }
}

/** Where a mark has no partner, it is text. */
export function inlinesOf(text: string): readonly Inline[] {
  return text
    .split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/)
    .filter((part) => part !== '')
    .map((part) => {
      if (part.length > 2 && part.startsWith('`') && part.endsWith('`')) return { type: 'code', text: part.slice(1, -1) }
      if (part.length > 4 && part.startsWith('**') && part.endsWith('**')) return { type: 'strong', text: part.slice(2, -2) }
      return { type: 'text', text: part }
    })
}
