// CodeMirror, as this app uses it: a chunk of its own, fetched when the first file is opened.
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { unifiedMergeView } from '@codemirror/merge'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { Annotation, Compartment, EditorState, type Extension, Transaction } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view'
import { diffIndices } from 'node-diff3'
import { type Cursor, cursors, showCursors } from './cursors.ts'
import { languageExtension } from './languages.ts'
import { look } from './look.ts'

export interface CodeEditor {
  /** Shows this text: what did not change keeps its place, the cursor too. Not an edit of the person's, so there is nothing to undo. */
  setText(text: string): void
  setReadOnly(isReadOnly: boolean): void
  setLanguage(language: string | null): void
  setLabel(label: string): void
  /** Of others, in this text. */
  setCursors(all: readonly Cursor[]): void
  destroy(): void
}

export interface CodeEditorOptions {
  readonly text: string
  /** The person changed the text. */
  readonly onText: (text: string) => void
  readonly onLeave: () => void
  /** The person's own selection: its fixed end and its moving one. null: the cursor is elsewhere. */
  readonly onCursor: (place: { readonly anchor: number; readonly head: number } | null) => void
}

const isGiven = Annotation.define<boolean>()

export function createCodeEditor(parent: HTMLElement, { text, onText, onLeave, onCursor }: CodeEditorOptions): CodeEditor {
  const [language, access, label] = [new Compartment(), new Compartment(), new Compartment()]
  const listen = EditorView.updateListener.of((update) => {
    const isTyped = update.docChanged && !update.transactions.every((one) => one.annotation(isGiven))
    if (isTyped) onText(update.state.doc.toString())
    if (update.focusChanged && !update.view.hasFocus) onLeave()
    if (update.selectionSet || update.focusChanged || isTyped) {
      const { anchor, head } = update.state.selection.main
      onCursor(update.view.hasFocus ? { anchor, head } : null)
    }
  })
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [basics, access.of([]), language.of([]), label.of([]), cursors, listen],
  })
  const set = (compartment: Compartment, extension: Extension) => view.dispatch({ effects: compartment.reconfigure(extension) })
  let asked: string | null = null
  return {
    setText: (next) => {
      const changes = changesTo(view.state.doc.toString(), next)
      if (changes.length > 0) view.dispatch({ changes, annotations: [isGiven.of(true), Transaction.addToHistory.of(false)] })
    },
    // A text that cannot be changed is still one to put the cursor in, to read and to copy from.
    setReadOnly: (isReadOnly) => set(access, isReadOnly ? [EditorState.readOnly.of(true), EditorView.contentAttributes.of({ 'aria-readonly': 'true' })] : []),
    setLanguage: (name) => {
      asked = name
      const show = (extension: Extension) => asked === name && set(language, extension)
      // Where it cannot be fetched, the text has no colours.
      languageExtension(name).then(show, () => show([]))
    },
    setLabel: (name) => set(label, EditorView.contentAttributes.of({ 'aria-label': name, 'data-testid': 'editor', tabindex: '0' })),
    setCursors: (all) => view.dispatch({ effects: showCursors.of(all) }),
    destroy: () => view.destroy(),
  }
}

export interface Comparison {
  /** What it has become. */
  text(): string
  destroy(): void
}

/** Two versions of a text as one that can be edited: it begins as `text`; what of `original` is not in it is shown between, and taken with a button. */
export function createComparison(
  parent: HTMLElement,
  { original, text, label, language }: Readonly<Record<'original' | 'text' | 'label', string>> & { readonly language: string | null },
): Comparison {
  const colours = new Compartment()
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      basics,
      unifiedMergeView({ original, mergeControls: choice }),
      colours.of([]),
      EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
    ],
  })
  // Where it cannot be fetched, the text has no colours.
  languageExtension(language).then(
    (extension) => view.dispatch({ effects: colours.reconfigure(extension) }),
    () => {},
  )
  return { text: () => view.state.doc.toString(), destroy: () => view.destroy() }
}

function choice(type: 'accept' | 'reject', act: (event: MouseEvent) => void): HTMLElement {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = type === 'accept' ? 'Keep the copy’s' : 'Take the file’s'
  button.className = 'cm-choice'
  button.addEventListener('click', act)
  return button
}

/** Tab indents; Escape and then Tab leaves, which is what CodeMirror offers to those without a mouse. */
export const basics: Extension = [
  lineNumbers(),
  highlightActiveLineGutter(),
  highlightSpecialChars(),
  history(),
  drawSelection(),
  indentOnInput(),
  bracketMatching(),
  highlightActiveLine(),
  highlightSelectionMatches(),
  search({ top: true }),
  EditorState.tabSize.of(2),
  // A carriage return stays a character of its line: what was not typed is not changed.
  EditorState.lineSeparator.of('\n'),
  keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
  look,
]

/** Line by line, so that a cursor in a line that stays is not moved by what is inserted elsewhere. */
function changesTo(text: string, next: string): readonly { readonly from: number; readonly to: number; readonly insert: string }[] {
  if (text === next) return []
  const [lines, nextLines] = [text.split(/(?<=\n)/), next.split(/(?<=\n)/)]
  const starts = [0]
  for (const line of lines) starts.push((starts.at(-1) ?? 0) + line.length)
  return diffIndices(lines, nextLines).map(({ buffer1: [at, count], buffer2Content }) => ({
    from: starts[at] ?? text.length,
    to: starts[at + count] ?? text.length,
    insert: buffer2Content.join(''),
  }))
}
