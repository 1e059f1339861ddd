// Invariant: within a project every path names one file or directory, and every directory above a file has its row.
import { refuse, startsWith, type Tx } from '@headwater/schema'
import { directoriesOf, directoryOf, isBelow, languageOf, pathProblem } from '../path.ts'
import type { ProjectFile, schema } from '../schema.ts'

export type CodecraftTx = Tx<typeof schema>

/** Refuses a path that cannot be one or that is taken. */
export async function claimPath(tx: CodecraftTx, projectId: string, path: string): Promise<void> {
  const problem = pathProblem(path)
  if (problem !== null) refuse('path', problem)
  const taken = await tx.query.files.where({ projectId, path }).first()
  if (taken) refuse('exists', `There is a ${taken.type} ${path} already.`)
}

interface NewFile {
  readonly id: string
  readonly projectId: string
  readonly path: string
  readonly type: ProjectFile['type']
  readonly content?: string
  readonly conflictOf?: string
  readonly conflictBy?: string
}

/** Writes the row, and those of the directories above it that are missing. */
export async function createBelow(tx: CodecraftTx, file: NewFile): Promise<void> {
  await createDirectories(tx, file.projectId, file.path)
  await tx.files.insert({ ...file, language: file.type === 'file' ? languageOf(file.path) : null, updatedAt: tx.now() })
}

/** Moves a file, or a directory with what is below it, to a path that is free. */
export async function moveTree(tx: CodecraftTx, id: string, path: string): Promise<void> {
  const moved = await fileOf(tx, id)
  if (moved.path === path) return
  if (isBelow(path, moved.path)) refuse('into-itself', `${moved.path} cannot be moved into itself.`)
  await claimPath(tx, moved.projectId, path)
  await createDirectories(tx, moved.projectId, path)
  for (const below of await allBelow(tx, moved)) await tx.files.update({ id: below.id, path: path + below.path.slice(moved.path.length) })
  await tx.files.update({ id, path, language: moved.type === 'file' ? languageOf(path) : null })
  await tx.projects.update({ id: moved.projectId, updatedAt: tx.now() })
}

/** Deletes a file, or a directory with what is below it. What is gone already is no error. */
export async function removeTree(tx: CodecraftTx, id: string): Promise<void> {
  const removed = await tx.query.files.where({ id }).first()
  if (!removed) return
  for (const below of await allBelow(tx, removed)) await tx.files.delete({ id: below.id })
  await tx.files.delete({ id })
  await tx.projects.update({ id: removed.projectId, updatedAt: tx.now() })
}

async function fileOf(tx: CodecraftTx, id: string): Promise<ProjectFile> {
  return (await tx.query.files.where({ id }).first()) ?? refuse('absent', 'The file is not there any more.')
}

async function createDirectories(tx: CodecraftTx, projectId: string, path: string): Promise<void> {
  if (directoryOf(path) === '') return
  for (const directory of directoriesOf(path)) {
    const there = await tx.query.files.where({ projectId, path: directory }).first()
    if (there?.type === 'file') refuse('not-directory', `${directory} is a file: nothing can lie in it.`)
    if (!there) await tx.files.insert({ id: tx.id(), projectId, path: directory, type: 'directory', updatedAt: tx.now() })
  }
}

async function allBelow(tx: CodecraftTx, file: ProjectFile): Promise<readonly ProjectFile[]> {
  if (file.type === 'file') return []
  return tx.query.files.where({ projectId: file.projectId, path: startsWith(`${file.path}/`) }).all()
}
