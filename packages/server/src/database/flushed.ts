// PGlite's files, put onto the medium when PostgreSQL asks for it. The node file system of Emscripten answers an fsync without doing anything,
// and what PostgreSQL believes to be on the medium would then be lost with the power.
//
// It leans on what PGlite does not promise: that its module has `NODEFS`, and that `fsync` of `NODEFS.stream_ops` is what a sync of a file
// calls. Its version is exact, `startEngine` refuses to go on if a start has flushed nothing, and test/contracts/database-durable.test.ts counts.

import fs from 'node:fs'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { assert } from '@headwater/protocol'

export interface FlushedFiles {
  /** For PGlite's option `fs`. */
  readonly files: NodeFS
  /** How often something was flushed. */
  flushes(): number
  /** Why a flush failed, the first time: what PostgreSQL has written since, and shortly before, may be lost. */
  failure(): unknown
}

/** Of Emscripten: a file or a folder that is open, and how it was opened. */
interface Stream {
  readonly nfd: number
  readonly flags: number
  readonly node: { readonly isFolder: boolean }
}

/** As much of Emscripten's module as is used here. */
interface NodeModule {
  readonly NODEFS: {
    readonly stream_ops: { fsync?: (stream: Stream) => number }
    /** Turns an error of Node into one of Emscripten's, which becomes the errno that PostgreSQL sees. */
    tryFSOperation(operation: () => void): void
  }
}

export function flushedFiles(directory: string): FlushedFiles {
  const files = new NodeFS(directory)
  const init = files.init.bind(files)
  let flushes = 0
  let failure: unknown = null

  function flush(fd: number): void {
    try {
      fs.fsyncSync(fd)
      flushes++
    } catch (error) {
      failure ??= error
      throw error
    }
  }

  files.init = async (pglite, options) => {
    const { emscriptenOpts } = await init(pglite, options)
    const install = (module: unknown) => {
      // PGlite's types leave out its file systems.
      const { NODEFS } = module as NodeModule
      assert(NODEFS.stream_ops.fsync === undefined, 'the file system of this PGlite does not flush by itself')
      NODEFS.stream_ops.fsync = ({ nfd, flags, node }) => {
        // PostgreSQL relies on the flush of a file only where it has opened it to write. Before it recovers it flushes each of a thousand files twice: first opened to be read, as a hint.
        const isHint = !node.isFolder && (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) === 0
        if (!isHint) NODEFS.tryFSOperation(() => flush(nfd))
        return 0
      }
    }
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), install] } }
  }

  return { files, flushes: () => flushes, failure: () => failure }
}
