import { type ReactNode, useEffect, useState, useSyncExternalStore } from 'react'
import { directoryOf, nameOf } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useMutate } from '../../headwater.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import { useMayEdit } from '../../useMayEdit.ts'
import { createDraft, type Draft } from './draft.ts'

/** A file as plain text. What is typed is written a moment after the last key, and when the file or the page is left. */
export function Editor({ file, children }: { readonly file: ProjectFile; readonly children: ReactNode }) {
  const draft = useDraft(file)
  const mayEdit = useMayEdit(file.projectId)
  const text = useSyncExternalStore(draft.subscribe, draft.get)
  const lines = text.split('\n').length
  const directory = directoryOf(file.path)
  return (
    <>
      <header className="flex h-10 shrink-0 items-center gap-2 border-b border-line px-4">
        {children}
        <h2 data-testid="editor-path" className="min-w-0 truncate text-sm" title={file.path}>
          {directory !== '' && <span className="text-muted">{directory}/</span>}
          <span className="font-medium">{nameOf(file.path)}</span>
        </h2>
        <span className="ml-auto shrink-0 text-xs text-faint tabular-nums">
          {file.language ?? 'Text'} · {lines} {lines === 1 ? 'line' : 'lines'}
        </span>
      </header>
      <div className="scroll-quiet flex min-h-0 flex-1 overflow-y-auto font-mono text-sm leading-5.5">
        <Gutter lines={lines} />
        <textarea
          aria-label={`Content of ${file.path}`}
          data-testid="editor"
          value={text}
          rows={lines}
          readOnly={!mayEdit}
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          wrap="off"
          onChange={(event) => draft.type(event.target.value)}
          onBlur={draft.flush}
          className="scroll-quiet min-h-full min-w-0 flex-1 resize-none overflow-x-auto overflow-y-hidden bg-transparent py-3 pr-4 pl-3 whitespace-pre outline-none [tab-size:2]"
        />
      </div>
    </>
  )
}

/** One draft for as long as the file is open; the store's text is followed, the last keys are written on the way out. */
function useDraft(file: ProjectFile): Draft {
  const mutate = useMutate()
  const write = useWrite()
  const { id } = file
  const [draft] = useState(() =>
    createDraft(file.content, {
      write: (content) => write(`Edit ${file.path}`, mutate.files.update({ id, content, updatedAt: new Date() })),
      timer: (afterMs, run) => {
        const timer = setTimeout(run, afterMs)
        return () => clearTimeout(timer)
      },
    }),
  )
  useEffect(() => draft.follow(file.content), [draft, file.content])
  useEffect(() => {
    addEventListener('pagehide', draft.flush)
    document.addEventListener('visibilitychange', draft.flush)
    return () => {
      removeEventListener('pagehide', draft.flush)
      document.removeEventListener('visibilitychange', draft.flush)
      draft.flush()
    }
  }, [draft])
  return draft
}

function Gutter({ lines }: { readonly lines: number }) {
  const numbers = Array.from({ length: lines }, (_, i) => i + 1).join('\n')
  return (
    <pre aria-hidden="true" className="shrink-0 py-3 pl-4 text-right text-faint/70 select-none">
      {numbers}
    </pre>
  )
}
