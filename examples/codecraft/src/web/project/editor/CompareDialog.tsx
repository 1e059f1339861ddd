import { useEffect, useRef, useState } from 'react'
import type { ProjectFile } from '../../../schema.ts'
import { useMutate } from '../../headwater.ts'
import { Button } from '../../parts/Button.tsx'
import { Dialog, DialogButtons } from '../../parts/Dialog.tsx'
import { useWrite } from '../../sync/WritesContext.ts'

export interface CompareDialogProps {
  readonly copy: ProjectFile
  readonly file: ProjectFile
  readonly onClose: () => void
}

/** The copy with what the file has in its place, to be made into one text. Both are taken as they were when it was opened; what comes meanwhile is merged. */
export function CompareDialog({ copy, file, onClose }: CompareDialogProps) {
  const mutate = useMutate()
  const write = useWrite()
  const parent = useRef<HTMLDivElement>(null)
  const [opened] = useState({ base: file.content, content: copy.content, language: file.language })
  const [made, setMade] = useState<{ readonly text: () => string } | null>(null)
  const [isMissing, setMissing] = useState(false)
  useEffect(() => {
    let destroy: (() => void) | null = null
    let isHere = true
    import('./codemirror.ts').then(
      ({ createComparison }) => {
        if (!isHere || !parent.current) return
        const comparison = createComparison(parent.current, {
          original: opened.base,
          text: opened.content,
          label: 'What the file becomes',
          language: opened.language,
        })
        destroy = comparison.destroy
        setMade(comparison)
      },
      () => setMissing(true),
    )
    return () => {
      isHere = false
      destroy?.()
    }
  }, [opened])
  const save = () => {
    onClose()
    write(`Merge ${copy.path}`, mutate.resolveCopy({ id: copy.id, base: opened.base, content: made?.text() ?? opened.content }))
  }
  return (
    <Dialog title="Two versions" onClose={onClose} testId="compare-dialog" isWide>
      <p className="text-sm text-muted">
        Green is only in the copy, red only in the file. “Accept” keeps the copy’s lines, “Reject” takes the file’s; the text can be changed as well. What it
        has become replaces <span className="font-medium break-all text-ink">{file.path}</span>, and the copy goes.
      </p>
      {isMissing && <p className="mt-3 text-sm text-danger">The comparison cannot be fetched: this device is offline. Both versions stay as they are.</p>}
      <div ref={parent} className="mt-3 h-[min(60vh,520px)] overflow-hidden rounded-lg border border-line" />
      <DialogButtons>
        <Button onClick={onClose}>Not now</Button>
        <Button kind="primary" data-testid="resolve" disabled={made === null} onClick={save}>
          Save this version
        </Button>
      </DialogButtons>
    </Dialog>
  )
}
