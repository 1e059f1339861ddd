import { useMemo } from 'react'
import { directoryOf, join } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useClient, useMutate } from '../../headwater.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import type { TreeNode } from './tree.ts'

export interface FileActions {
  create(directory: string, name: string, type: ProjectFile['type']): void
  rename(node: TreeNode, name: string): void
  remove(node: TreeNode): void
}

/** What the tree does to files. A new file is opened. */
export function useFileActions(projectId: string, onOpen: (id: string) => void): FileActions {
  const client = useClient()
  const mutate = useMutate()
  const write = useWrite()
  return useMemo(
    () => ({
      create: (directory, name, type) => {
        const id = client.id()
        const path = join(directory, name)
        const created = mutate.createFile({ id, projectId, path, type })
        write(`Create ${path}`, created)
        // A name that is taken is refused here and now; what was open stays open then.
        if (type === 'file') void created.saved.then(() => onOpen(id)).catch(() => {})
      },
      rename: ({ id, path, type }, name) => {
        if (id === null) return
        const args = { id, path: join(directoryOf(path), name) }
        write(`Rename ${path} to ${name}`, type === 'directory' ? mutate.renameDirectory(args) : mutate.renameFile(args))
      },
      remove: ({ id, path }) => {
        if (id !== null) write(`Delete ${path}`, mutate.deleteFile({ id }))
      },
    }),
    [client, mutate, write, projectId, onOpen],
  )
}
