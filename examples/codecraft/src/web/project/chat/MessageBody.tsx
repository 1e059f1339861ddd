import { memo } from 'react'
import { type Block, blocksOf, type Inline } from './parts.ts'

/** What a message says, set. Memoised: a conversation is drawn anew with each message, its other messages are not. */
export const MessageBody = memo(function MessageBody({ content }: { readonly content: string }) {
  return (
    <div className="space-y-2.5 text-base leading-relaxed break-words">
      {blocksOf(content).map((block, i) => (
        // A block has nothing to be known by but its place, and holds no state.
        // biome-ignore lint/suspicious/noArrayIndexKey: see above
        <BlockView key={i} block={block} />
      ))}
    </div>
  )
})

function BlockView({ block }: { readonly block: Block }) {
  switch (block.type) {
    case 'paragraph':
      return (
        <p className="whitespace-pre-wrap">
          <Inlines inlines={block.inlines} />
        </p>
      )
    case 'list': {
      const List = block.isOrdered ? 'ol' : 'ul'
      return (
        <List className={`space-y-1 pl-5 marker:text-faint ${block.isOrdered ? 'list-decimal' : 'list-disc'}`}>
          {block.items.map((item, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <li key={i}>
              <Inlines inlines={item} />
            </li>
          ))}
        </List>
      )
    }
    case 'code':
      return (
        // A keyboard scrolls what it can focus.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        <pre tabIndex={0} className="scroll-quiet overflow-x-auto rounded-lg border border-line bg-sunken px-3 py-2.5 font-mono text-xs leading-5">
          <code>{block.text}</code>
        </pre>
      )
  }
}

function Inlines({ inlines }: { readonly inlines: readonly Inline[] }) {
  return inlines.map((inline, i) => {
    // biome-ignore-start lint/suspicious/noArrayIndexKey: as above
    if (inline.type === 'code') return <Code key={i} text={inline.text} />
    if (inline.type === 'strong') return <strong key={i}>{inline.text}</strong>
    return <span key={i}>{inline.text}</span>
    // biome-ignore-end lint/suspicious/noArrayIndexKey: as above
  })
}

const Code = ({ text }: { readonly text: string }) => (
  <code className="rounded bg-sunken px-1 py-0.5 font-mono text-[0.8125em] box-decoration-clone">{text}</code>
)
