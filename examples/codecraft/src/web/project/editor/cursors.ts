// The cursors of others in the text that is shown here. A place was right in the text that its sender had: it moves with what is typed until the next one comes.
import { type Extension, type Range, RangeSet, StateEffect, StateField } from '@codemirror/state'
import { Decoration, type DecorationSet, EditorView, WidgetType } from '@codemirror/view'

export interface Cursor {
  readonly id: string
  readonly name: string
  /** Of the person's colour, in degrees. */
  readonly hue: number
  readonly anchor: number
  readonly head: number
}

export const showCursors = StateEffect.define<readonly Cursor[]>()

export const cursors: Extension = [
  StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update: (shown, transaction) => {
      const effect = transaction.effects.findLast((one) => one.is(showCursors))
      return effect?.is(showCursors) ? decorationsOf(effect.value, transaction.newDoc.length) : shown.map(transaction.changes)
    },
    provide: (field) => EditorView.decorations.from(field),
  }),
  EditorView.baseTheme({
    '.cm-other': { position: 'relative', borderLeft: '2px solid var(--other)', marginLeft: '-1px', marginRight: '-1px' },
    '.cm-other-name': {
      position: 'absolute',
      bottom: '100%',
      left: '-2px',
      padding: '0 0.25rem',
      fontFamily: 'var(--font-sans)',
      fontSize: '0.625rem',
      lineHeight: '0.875rem',
      whiteSpace: 'nowrap',
      color: '#ffffff',
      backgroundColor: 'var(--other)',
      borderRadius: '3px 3px 3px 0',
      pointerEvents: 'none',
      zIndex: '1',
    },
    '.cm-line:first-child .cm-other-name': { bottom: 'auto', top: '100%', borderRadius: '0 3px 3px 3px' },
    '.cm-other-text': { backgroundColor: 'color-mix(in oklab, var(--other) 22%, transparent)' },
  }),
]

function decorationsOf(all: readonly Cursor[], length: number): DecorationSet {
  const ranges = all.flatMap((cursor): Range<Decoration>[] => {
    const [anchor, head] = [Math.min(cursor.anchor, length), Math.min(cursor.head, length)]
    const caret = Decoration.widget({ widget: new Caret(cursor.name, cursor.hue), side: 1 }).range(head)
    if (anchor === head) return [caret]
    const text = Decoration.mark({ class: 'cm-other-text', attributes: { style: `--other: ${colourOf(cursor.hue)}` } })
    return [text.range(Math.min(anchor, head), Math.max(anchor, head)), caret]
  })
  return RangeSet.of(ranges, true)
}

const colourOf = (hue: number) => `oklch(0.5 0.12 ${hue})`

// A widget is a class: CodeMirror asks for one.
class Caret extends WidgetType {
  constructor(
    readonly name: string,
    readonly hue: number,
  ) {
    super()
  }

  override eq(other: Caret): boolean {
    return other.name === this.name && other.hue === this.hue
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span')
    caret.className = 'cm-other'
    caret.dataset.testid = 'other-cursor'
    caret.style.setProperty('--other', colourOf(this.hue))
    const name = document.createElement('span')
    name.className = 'cm-other-name'
    name.textContent = this.name
    caret.append(name)
    return caret
  }
}
