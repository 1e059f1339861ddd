import { type ReactNode, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { directoryOf, nameOf } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useMutate } from '../../headwater.ts'
import { hueOf } from '../../parts/Avatar.tsx'
import { usePeople } from '../../session/SessionContext.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import { useMayEdit } from '../../useMayEdit.ts'
import { useOthers, useSay } from '../here/HereContext.tsx'
import { CodeText } from './CodeText.tsx'
import { Conflict } from './Conflict.tsx'
import type { Cursor } from './cursors.ts'
import { createDraft, type Draft } from './draft.ts'

export interface EditorProps {
  readonly file: ProjectFile
  /** All of the project. */
  readonly files: readonly ProjectFile[]
  readonly children: ReactNode
}

/** A file. What is typed is written a moment after the last key, and when the file or the page is left; what others type is merged while one types. */
export function Editor({ file, files, children }: EditorProps) {
  const draft = useDraft(file)
  const mayEdit = useMayEdit(file.projectId)
  const cursors = useCursors(file.id)
  const say = useSay()
  // Who leaves the file takes the cursor along.
  useEffect(() => () => say({ file: null }), [say])
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
          {mayEdit ? '' : 'Read only · '}
          {file.language ?? 'Text'} · {lines} {lines === 1 ? 'line' : 'lines'}
        </span>
      </header>
      <Conflict file={file} files={files} mayEdit={mayEdit} />
      <CodeText
        text={text}
        label={`Content of ${file.path}`}
        language={file.language}
        isReadOnly={!mayEdit}
        onText={(next) => mayEdit && draft.type(next)}
        onLeave={draft.flush}
        cursors={cursors}
        onCursor={(place) => say(place ? { file: file.id, ...place } : { file: null })}
      />
    </>
  )
}

/** Where others are in this file. */
function useCursors(fileId: string): readonly Cursor[] {
  const others = useOthers()
  const people = usePeople()
  return useMemo(
    () =>
      others
        .filter((other) => other.file === fileId)
        .map(({ id, user, anchor, head }) => ({ id, name: people.find(user).name, hue: hueOf(user), anchor, head })),
    [others, people, fileId],
  )
}

/** One draft for as long as the file is open; the store's text is followed, the last keys are written on the way out. */
function useDraft({ id, projectId, path, content }: ProjectFile): Draft {
  const mutate = useMutate()
  const write = useWrite()
  const [draft] = useState(() =>
    createDraft(content, {
      write: (base, text) => write(`Edit ${path}`, mutate.editFile({ id, projectId, path, base, content: text })),
      timer: (afterMs, run) => {
        const timer = setTimeout(run, afterMs)
        return () => clearTimeout(timer)
      },
    }),
  )
  useEffect(() => draft.follow(content), [draft, content])
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
