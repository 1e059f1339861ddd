// Invariant: what a person wrote in a file is in that file, or in a copy beside it that names whose it is. It is never nowhere.
import { refuse } from '@headwater/schema'
import { mergeText } from '../merge.ts'
import { directoryOf, join, nameOf, pathLengthMax } from '../path.ts'
import type { ProjectFile } from '../schema.ts'
import { type CodecraftTx, createBelow } from './files.ts'

export interface Edit {
  readonly id: string
  readonly projectId: string
  /** Where the file was: a copy is made beside it, also when the file is gone. */
  readonly path: string
  /** What the person had before them. */
  readonly base: string
  /** What they made of it. */
  readonly content: string
}

/** Brings what the person changed into what the file holds by now; where both changed the same place, the person's text becomes a copy. */
export async function editFile(tx: CodecraftTx, edit: Edit): Promise<void> {
  const file = await tx.query.files.where({ id: edit.id }).first()
  if (file?.type === 'directory') refuse('directory', `${file.path} is a directory: it holds no text.`)
  const copy = file?.content === edit.base ? undefined : await continuedBy(tx, edit)
  if (copy) return tx.files.update({ id: copy.id, content: edit.content, updatedAt: tx.now() })
  const merged = file ? mergeText(edit.base, file.content, edit.content) : null
  if (merged === null) return keepCopy(tx, edit)
  if (file && merged !== file.content) await tx.files.update({ id: edit.id, content: merged, updatedAt: tx.now() })
}

export interface Resolution extends Pick<Edit, 'base' | 'content'> {
  /** Of the copy. */
  readonly id: string
}

/** Ends a conflict: the file gets `content`, made from `base` and the copy, and the copy goes. Where the file is gone, the copy is the file. */
export async function resolveCopy(tx: CodecraftTx, { id, base, content }: Resolution): Promise<void> {
  const copy = await tx.query.files.where({ id }).first()
  if (!copy || copy.conflictOf === null) return
  const file = await tx.query.files.where({ id: copy.conflictOf }).first()
  if (!file) return tx.files.update({ id, content, conflictOf: null, conflictBy: null, updatedAt: tx.now() })
  const merged = mergeText(base, file.content, content)
  if (merged === null) refuse('changed', `${file.path} was changed meanwhile: compare it with the copy again.`)
  await tx.files.update({ id: file.id, content: merged, updatedAt: tx.now() })
  await tx.files.delete({ id })
}

/** Who types on while a copy is made has its text before them: that goes on in the copy, and does not become another one. */
async function continuedBy(tx: CodecraftTx, { id, base }: Edit): Promise<ProjectFile | undefined> {
  const copies = await tx.query.files.where({ conflictOf: id, conflictBy: tx.user }).all()
  return copies.find((copy) => copy.content === base)
}

async function keepCopy(tx: CodecraftTx, { id, projectId, path, content }: Edit): Promise<void> {
  const free = await freePath(tx, projectId, path)
  await createBelow(tx, { id: tx.id(), projectId, path: free, type: 'file', content, conflictOf: id, conflictBy: tx.user })
}

/** `src/main.ada.ts`, or with a number where that is taken. */
async function freePath(tx: CodecraftTx, projectId: string, path: string): Promise<string> {
  const name = nameOf(path)
  const dot = name.lastIndexOf('.') > 0 ? name.lastIndexOf('.') : name.length
  for (let i = 1; ; i++) {
    const mark = `.${tx.user}${i === 1 ? '' : `-${i}`}`
    const free = join(directoryOf(path), `${name.slice(0, dot).slice(0, 80)}${mark}${name.slice(dot)}`)
    if (free.length > pathLengthMax) return freePath(tx, projectId, name)
    if (!(await tx.query.files.where({ projectId, path: free }).first())) return free
  }
}
