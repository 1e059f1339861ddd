// A PostgreSQL as it stands, to the byte: the memory of PGlite and its files. Taking one and putting one back takes some milliseconds, so that every seed begins on the same
// database, and a database can be what it was some seconds ago.
// Invariant: taken and put back only while nothing is asked of it; everything that it knows is then in its memory and its files.
import type { PGlite } from '@electric-sql/pglite'

type Module = PGlite['Module']

export interface Image {
  /** What is not empty of its memory, by where it stands. */
  readonly pages: ReadonlyMap<number, Uint8Array>
  readonly files: readonly FileState[]
  readonly names: readonly unknown[]
  readonly nextInode: number
  readonly streams: readonly (StreamState | undefined)[]
}

/** What Emscripten keeps of a file, as far as it is looked at here. */
interface FileNode {
  readonly mode: number
  readonly parent: FileNode
  readonly mounted?: { readonly root?: FileNode } | null
  contents?: Uint8Array | Record<string, FileNode> | null
  usedBytes?: number
}
interface FileState {
  readonly node: FileNode
  readonly fields: FileNode
}
interface Stream {
  shared: object
  readonly node: FileNode
}
interface StreamState {
  readonly stream: Stream
  readonly fields: object
  readonly shared: object
}
interface FileSystem {
  readonly root: FileNode
  readonly nameTable: unknown[]
  readonly streams: (Stream | undefined)[]
  nextInode: number
  lookupPath(path: string): { readonly node: { readonly rdev: number } }
  getDevice(device: number): { readonly stream_ops: { read?: unknown } }
  isDir(mode: number): boolean
  isFile(mode: number): boolean
}

const pageBytes = 65_536
const none = Buffer.alloc(pageBytes)

export function takeImage(module: Module): Image {
  const fs = fileSystemOf(module)
  return {
    pages: pagesOf(module.HEAPU8),
    files: [...nodesOf(fs)].map((node) => ({ node, fields: { ...node, contents: copyOf(fs, node) ?? null } })),
    names: [...fs.nameTable],
    nextInode: fs.nextInode,
    streams: fs.streams.map((stream) => stream && { stream, fields: { ...stream }, shared: { ...stream.shared } }),
  }
}

export function putBack(module: Module, image: Image): void {
  const fs = fileSystemOf(module)
  putPages(module.HEAPU8, image.pages)
  for (const { node, fields } of image.files) Object.assign(node, fields, { contents: isSame(node, fields) ? node.contents : copyOf(fs, fields) })
  fs.nameTable.splice(0, fs.nameTable.length, ...image.names)
  fs.nextInode = image.nextInode
  fs.streams.length = 0
  for (const [i, state] of image.streams.entries()) {
    if (state) Object.assign(state.stream, state.fields, { shared: { ...state.shared } })
    fs.streams[i] = state?.stream
  }
}

/** From now on the database's own chance comes from here, without a supply that outlasts an image. */
export function giveChance(module: Module, fill: (bytes: Uint8Array) => void): void {
  const fs = fileSystemOf(module)
  const read = (_: unknown, buffer: Uint8Array, offset: number, length: number) => {
    fill(buffer.subarray(offset, offset + length))
    return length
  }
  for (const path of ['/dev/random', '/dev/urandom']) fs.getDevice(fs.lookupPath(path).node.rdev).stream_ops.read = read
}

/** Where a number of eight bytes stands in the memory. */
export function placesOf(module: Module, number: bigint): readonly number[] {
  const words = wordsOf(module.HEAPU8)
  const places: number[] = []
  for (let at = words.indexOf(number); at >= 0; at = words.indexOf(number, at + 1)) places.push(at)
  return places
}

export const wordsOf = (heap: Uint8Array) => new BigInt64Array(heap.buffer, 0, Math.floor(heap.byteLength / 8))

// Emscripten's own file system, whose insides its types do not tell: what is looked at is declared above.
const fileSystemOf = (module: Module) => module.FS as unknown as FileSystem

function pagesOf(heap: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const pages = new Map<number, Uint8Array>()
  for (let at = 0; at < heap.length; at += pageBytes) {
    const page = heap.subarray(at, at + pageBytes)
    if (Buffer.compare(page, none) !== 0) pages.set(at, page.slice())
  }
  return pages
}

/** Most of it is what it was: to look is cheaper than to write. It may have grown since; what was not there is empty again. */
function putPages(heap: Uint8Array, pages: ReadonlyMap<number, Uint8Array>): void {
  for (let at = 0; at < heap.length; at += pageBytes) {
    const page = heap.subarray(at, at + pageBytes)
    const was = pages.get(at) ?? none
    if (Buffer.compare(page, was) !== 0) page.set(was)
  }
}

/** Whether a file's bytes are still those, in an array that has no room for more: then it stays. */
function isSame({ contents }: FileNode, { contents: was }: FileNode): boolean {
  return ArrayBuffer.isView(contents) && ArrayBuffer.isView(was) && contents.length === was.length && bytesIn(contents).equals(bytesIn(was))
}

/** Emscripten has arrays of signed bytes among them. */
const bytesIn = ({ buffer, byteOffset, byteLength }: Uint8Array) => Buffer.from(buffer, byteOffset, byteLength)

/** Every file and folder, those that are open and have no name any more among them. */
function nodesOf(fs: FileSystem): ReadonlySet<FileNode> {
  const all = new Set<FileNode>()
  const walk = (node: FileNode) => {
    if (all.has(node)) return
    all.add(node)
    walk(node.parent)
    if (node.mounted?.root) walk(node.mounted.root)
    if (fs.isDir(node.mode)) for (const child of Object.values(childrenOf(node))) walk(child)
  }
  walk(fs.root)
  for (const stream of fs.streams) if (stream) walk(stream.node)
  return all
}

const childrenOf = ({ contents }: FileNode): Record<string, FileNode> => (contents && !ArrayBuffer.isView(contents) ? contents : {})

function copyOf(fs: FileSystem, { mode, contents, usedBytes }: FileNode): FileNode['contents'] {
  if (contents && ArrayBuffer.isView(contents)) return fs.isFile(mode) ? contents.slice(0, usedBytes) : contents
  return contents && fs.isDir(mode) ? { ...contents } : contents
}
