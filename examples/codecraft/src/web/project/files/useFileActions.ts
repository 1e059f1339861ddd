import { useMemo } from 'react'
import { directoryOf, join } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useClient, useMutate } from '../../headwater.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import type { TreeNode } from './tree.ts'

export interface FileActions {
  create(directory: string, name: string, type: ProjectFile['type']): void
  rename(node: TreeNode, name: string): void
  /** To another path, with what is below it; directories on the way are made. */
  move(node: TreeNode, path: string): void
  remove(node: TreeNode): void
}

/** What the tree does to files. A new file is opened. */
export function useFileActions(projectId: string, onOpen: (id: string) => void): FileActions {
  const client = useClient()
  const mutate = useMutate()
  const write = useWrite()
  return useMemo(() => {
    const move = ({ id, path: from, type }: TreeNode, path: string) => {
      if (id === null) return
      const args = { id, path }
      write(`Move ${from} to ${path}`, type === 'directory' ? mutate.renameDirectory(args) : mutate.renameFile(args))
    }
    return {
      create: (directory, name, type) => {
        const id = client.id()
        const path = join(directory, name)
        const created = mutate.createFile({ id, projectId, path, type })
        write(`Create ${path}`, created)
        // A name that is taken is refused here and now; what was open stays open then.
        if (type === 'file') void created.saved.then(() => onOpen(id)).catch(() => {})
      },
      move,
      rename: (node, name) => move(node, join(directoryOf(node.path), name)),
      remove: ({ id, path }) => {
        if (id !== null) write(`Delete ${path}`, mutate.deleteFile({ id }))
      },
    }
  }, [client, mutate, write, projectId, onOpen])
}
