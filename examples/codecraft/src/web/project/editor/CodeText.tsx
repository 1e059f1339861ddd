import { useEffect, useRef, useState } from 'react'
import type { CodeEditor, CodeEditorOptions } from './codemirror.ts'
import type { Cursor } from './cursors.ts'

export interface CodeTextProps {
  readonly text: string
  readonly label: string
  readonly language: string | null
  readonly isReadOnly: boolean
  readonly onText: (text: string) => void
  readonly onLeave: () => void
  readonly cursors: readonly Cursor[]
  readonly onCursor: CodeEditorOptions['onCursor']
}

/** The text of a file in CodeMirror; until that is here, and where it cannot be fetched, in a plain field that does the same. */
export function CodeText(props: CodeTextProps) {
  const { text, label, language, isReadOnly, cursors } = props
  const parent = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  const [editor, setEditor] = useState<CodeEditor | null>(null)
  useEffect(() => {
    latest.current = props
  })
  useEffect(() => {
    let isHere = true
    let made: CodeEditor | null = null
    const open = async () => {
      const { createCodeEditor } = await import('./codemirror.ts')
      if (!isHere || !parent.current) return
      made = createCodeEditor(parent.current, {
        text: latest.current.text,
        onText: (next) => latest.current.onText(next),
        onLeave: () => latest.current.onLeave(),
        onCursor: (place) => latest.current.onCursor(place),
      })
      setEditor(made)
    }
    // The plain field stays; the next file that is opened asks again.
    open().catch(() => {})
    return () => {
      isHere = false
      made?.destroy()
    }
  }, [])
  useEffect(() => editor?.setText(text), [editor, text])
  useEffect(() => editor?.setLanguage(language), [editor, language])
  useEffect(() => editor?.setReadOnly(isReadOnly), [editor, isReadOnly])
  useEffect(() => editor?.setLabel(label), [editor, label])
  useEffect(() => editor?.setCursors(cursors), [editor, cursors])

  return (
    <div className="relative min-h-0 flex-1">
      <div ref={parent} className="absolute inset-0" />
      {editor === null && <PlainText {...props} />}
    </div>
  )
}

function PlainText({ text, label, isReadOnly, onText, onLeave }: CodeTextProps) {
  return (
    <textarea
      aria-label={label}
      data-testid="plain-editor"
      value={text}
      readOnly={isReadOnly}
      spellCheck={false}
      autoCapitalize="off"
      autoCorrect="off"
      wrap="off"
      onChange={(event) => onText(event.target.value)}
      onBlur={onLeave}
      className="scroll-quiet absolute inset-0 resize-none overflow-auto bg-transparent py-3 pr-4 pl-14 font-mono text-sm leading-5.5 whitespace-pre outline-none [tab-size:2]"
    />
  )
}
