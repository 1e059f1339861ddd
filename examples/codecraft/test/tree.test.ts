import { describe, expect, test } from 'vitest'
import { type TreeNode, treeOf, visibleNodes } from '../src/web/project/files/tree.ts'

const file = (path: string) => ({ id: `id of ${path}`, path, type: 'file' as const })
const directory = (path: string) => ({ id: `id of ${path}`, path, type: 'directory' as const })
const drawn = (nodes: readonly TreeNode[]): readonly string[] => nodes.flatMap((node) => [`${'  '.repeat(node.depth)}${node.name}`, ...drawn(node.children)])

describe('the tree of flat files', () => {
  test('puts directories first, then names as a person would order them', () => {
    const tree = treeOf([file('b.ts'), file('part10.ts'), file('part2.ts'), directory('z'), file('z/a.ts'), directory('Apps'), file('A.ts')])
    expect(drawn(tree)).toEqual(['Apps', 'z', '  a.ts', 'A.ts', 'b.ts', 'part2.ts', 'part10.ts'])
  })

  test('shows a file whose directories are not here yet', () => {
    const tree = treeOf([file('src/deep/a.ts')])
    expect(drawn(tree)).toEqual(['src', '  deep', '    a.ts'])
    expect(tree[0]).toMatchObject({ type: 'directory', id: null })
    expect(tree[0]?.children[0]?.children[0]?.id).toBe('id of src/deep/a.ts')
  })

  test('keeps two names apart that only differ in case', () => {
    expect(drawn(treeOf([file('a.ts'), file('A.ts')]))).toEqual(['A.ts', 'a.ts'])
  })

  test('leaves out of sight what lies in a closed directory', () => {
    const tree = treeOf([directory('src'), file('src/a.ts'), file('b.ts')])
    expect(visibleNodes(tree, (path) => path !== 'src').map((node) => node.path)).toEqual(['src', 'b.ts'])
  })
})
