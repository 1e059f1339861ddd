// The editor in the colours of the app, by day and by night: every text colour has 4.5:1 or more on its ground.
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.quote], color: 'var(--faint)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self], color: 'light-dark(#8a3ffc, #c4a1ff)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'light-dark(#22703b, #8fd19e)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'light-dark(#a04a00, #f0b37e)' },
  { tag: [tags.typeName, tags.className, tags.tagName, tags.namespace], color: 'light-dark(#0b6a86, #7fcbe2)' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.labelName], color: 'light-dark(#1f5fb8, #8db9f5)' },
  { tag: [tags.attributeName, tags.propertyName], color: 'light-dark(#8a5400, #e2c07a)' },
  { tag: [tags.heading, tags.strong], fontWeight: '600' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: [tags.link, tags.url], color: 'var(--accent)', textDecoration: 'underline' },
  { tag: tags.invalid, color: 'var(--danger)' },
])

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '0.8125rem', color: 'var(--ink)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--code-font)', lineHeight: '1.375rem', scrollbarWidth: 'thin', scrollbarColor: 'var(--line-strong) transparent' },
  '.cm-content': { padding: '0.75rem 0', caretColor: 'var(--accent)' },
  '.cm-line': { padding: '0 1rem 0 0.5rem' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--faint)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 0.5rem 0 1rem' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in oklab, var(--hover) 60%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in oklab, var(--accent) 26%, transparent)',
  },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in oklab, var(--accent) 16%, transparent)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)', outline: '1px solid var(--line-strong)' },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '.cm-panels.cm-panels-top, .cm-panels.cm-panels-bottom': { borderColor: 'var(--line)' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', color: 'var(--ink)', border: '1px solid var(--line-strong)', borderRadius: '6px' },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--surface)',
    color: 'var(--ink)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-changedLine, .cm-insertedLine': { backgroundColor: 'color-mix(in oklab, var(--accent) 12%, transparent)' },
  '.cm-choice': {
    margin: '0.25rem 0 0.25rem 0.375rem',
    padding: '0 0.5rem',
    fontFamily: 'var(--font-sans)',
    fontSize: '0.75rem',
    lineHeight: '1.375rem',
    color: 'var(--ink)',
    backgroundColor: 'var(--surface)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
    cursor: 'pointer',
  },
  '.cm-deletedChunk': { backgroundColor: 'color-mix(in oklab, var(--danger) 10%, transparent)' },
})

export const look = [theme, syntaxHighlighting(colours)]
