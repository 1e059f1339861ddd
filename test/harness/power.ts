// A loss of power, simulated: everything that a database asks of the file system is recorded, and a directory is then made as a disk might hold it
// at any moment of that. What was flushed is there; what was not is there or not, in any part.

import fs from 'node:fs'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

type Event =
  | { readonly type: 'write'; readonly file: File; readonly at: number; readonly bytes: Buffer }
  | { readonly type: 'truncate'; readonly file: File; readonly length: number }
  | { readonly type: 'flush'; readonly file: File | null }
  | { readonly type: 'name'; readonly path: string; readonly file: File }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'unname' | 'folder' | 'unfolder'; readonly path: string }

/** A file whatever it is called. */
interface File {
  /** Where it was when the recording began, or null: it is newer. */
  readonly origin: string | null
}

export interface PowerRecording {
  /** How much has been recorded: a moment. */
  moment(): number
  stop(): void
  /** Makes `target` the directory as it might be found after a loss of power at the moment. `chance`: numbers from 0 to 1. */
  after(moment: number, chance: () => number, target: string): Promise<void>
  close(): Promise<void>
}

/**
 * Begins to record what this process does below `directory`, of which everything so far counts as flushed. Only what goes through the synchronous functions of
 * `node:fs` is seen, which is all that PGlite uses. As file systems with a journal do, a flush of anything keeps all names made before it.
 */
export async function recordPower(directory: string): Promise<PowerRecording> {
  const origin = await mkdtemp(join(tmpdir(), 'hw-power-'))
  await cp(directory, join(origin, 'before'), { recursive: true })
  const events: Event[] = []
  const stop = listen(directory, (event) => events.push(event))

  async function after(moment: number, chance: () => number, target: string): Promise<void> {
    const past = events.slice(0, moment)
    const named = past.findLastIndex(({ type }) => type === 'flush') + 1
    const namedByLuck = named + Math.floor(chance() * (past.length - named))
    const paths = pathsAfter(past.slice(0, namedByLuck), join(origin, 'before'))
    await mkdir(target, { recursive: true, mode: 0o700 })
    for (const folder of [...paths.folders].sort()) await mkdir(join(target, folder), { recursive: true, mode: 0o700 })
    const luck = [0, 0.5, 1][Math.floor(chance() * 3)] ?? 0
    const wanted = new Map([...paths.files].map(([path, file]) => [file, join(target, path)]))
    for (const [file, path] of wanted) {
      if (file.origin === null) fs.writeFileSync(path, '', { mode: 0o600 })
      else fs.copyFileSync(join(origin, 'before', file.origin), path, fs.constants.COPYFILE_FICLONE)
    }
    replay(past, wanted, () => chance() < luck)
  }

  return { moment: () => events.length, stop, after, close: () => rm(origin, { recursive: true, force: true }) }
}

/** Which names there are, and for which files. Files of before are known by their path. */
function pathsAfter(events: readonly Event[], before: string) {
  const files = new Map<string, File>()
  const folders = new Set<string>()
  for (const entry of fs.readdirSync(before, { recursive: true, withFileTypes: true })) {
    const path = relative(before, join(entry.parentPath, entry.name))
    if (entry.isDirectory()) folders.add(path)
    else files.set(path, knownFile(path))
  }
  for (const event of events) {
    if (event.type === 'name') files.set(event.path, event.file)
    if (event.type === 'unname') files.delete(event.path)
    if (event.type === 'folder') folders.add(event.path)
    if (event.type === 'unfolder') folders.delete(event.path)
    if (event.type !== 'rename') continue
    const file = files.get(event.from)
    files.delete(event.from)
    if (file) files.set(event.to, file)
  }
  return { files, folders }
}

/** What was flushed, and of the rest what luck leaves: of a write, each sector by itself. */
function replay(events: readonly Event[], pathByFile: ReadonlyMap<File, string>, isLucky: () => boolean): void {
  const flushed = new Map<File, number>()
  for (const [i, event] of events.entries()) if (event.type === 'flush' && event.file) flushed.set(event.file, i)
  for (const [i, event] of events.entries()) {
    if (event.type !== 'write' && event.type !== 'truncate') continue
    const path = pathByFile.get(event.file)
    if (path === undefined) continue
    const isFlushed = i < (flushed.get(event.file) ?? -1)
    if (event.type === 'truncate') {
      if (isFlushed || isLucky()) fs.truncateSync(path, event.length)
      continue
    }
    const fd = fs.openSync(path, 'r+')
    for (let at = 0; at < event.bytes.length; at += isFlushed ? event.bytes.length : sectorBytes) {
      const bytes = isFlushed ? event.bytes : event.bytes.subarray(at, at + sectorBytes)
      if (isFlushed || isLucky()) fs.writeSync(fd, bytes, 0, bytes.length, event.at + at)
    }
    fs.closeSync(fd)
  }
}

const sectorBytes = 512
const known = new Map<string, File>()

function knownFile(path: string): File {
  const file = known.get(path) ?? { origin: path }
  known.set(path, file)
  return file
}

/** Puts listeners in front of the functions of `node:fs`. The answer takes them away. */
function listen(directory: string, onEvent: (event: Event) => void): () => void {
  known.clear()
  const real = { ...fs }
  const filesNow = new Map<string, File>()
  const open = new Map<number, { readonly file: File | null; position: number }>()
  const inside = (path: unknown) => (String(path).startsWith(`${directory}/`) ? relative(directory, String(path)) : null)
  const fileAt = (path: string) => filesNow.get(path) ?? knownFile(path)

  function named(path: string): void {
    const file: File = { origin: null }
    filesNow.set(path, file)
    onEvent({ type: 'name', path, file })
  }

  // Each stands for the function of the same name, called as PGlite calls it.
  const recording: Partial<Record<keyof typeof fs, (...given: never[]) => unknown>> = {
    openSync: (path: string, flags: number, mode?: number) => {
      const below = inside(path)
      const isNew = below !== null && !fs.existsSync(path)
      const fd = real.openSync(path, flags, mode)
      if (below === null && path !== directory) return fd
      if (below !== null && isNew) named(below)
      const isFolder = below === null || real.fstatSync(fd).isDirectory()
      open.set(fd, { file: isFolder ? null : fileAt(below), position: 0 })
      if (!isFolder && !isNew && (flags & fs.constants.O_TRUNC) !== 0) onEvent({ type: 'truncate', file: fileAt(below), length: 0 })
      return fd
    },
    closeSync: (fd: number) => {
      open.delete(fd)
      return real.closeSync(fd)
    },
    writeSync: (fd: number, bytes: Uint8Array, offset: number, length: number, position?: number) => {
      const written = real.writeSync(fd, bytes, offset, length, position)
      const stream = open.get(fd)
      if (!stream?.file) return written
      if (typeof position !== 'number') throw new Error('PGlite says where it writes.')
      onEvent({ type: 'write', file: stream.file, at: position, bytes: Buffer.from(bytes.subarray(offset, offset + written)) })
      return written
    },
    fsyncSync: (fd: number) => {
      real.fsyncSync(fd)
      const stream = open.get(fd)
      if (stream) onEvent({ type: 'flush', file: stream.file })
    },
    ftruncateSync: (fd: number, length: number) => {
      real.ftruncateSync(fd, length)
      const stream = open.get(fd)
      if (stream?.file) onEvent({ type: 'truncate', file: stream.file, length })
    },
    truncateSync: (path: string, length: number) => {
      real.truncateSync(path, length)
      const below = inside(path)
      if (below !== null) onEvent({ type: 'truncate', file: fileAt(below), length })
    },
    renameSync: (from: string, to: string) => {
      real.renameSync(from, to)
      const [before, after] = [inside(from), inside(to)]
      if (before === null || after === null) return
      filesNow.set(after, fileAt(before))
      filesNow.delete(before)
      onEvent({ type: 'rename', from: before, to: after })
    },
    unlinkSync: (path: string) => {
      real.unlinkSync(path)
      const below = inside(path)
      if (below !== null) onEvent({ type: 'unname', path: below })
    },
    mkdirSync: (path: string, mode: number) => {
      real.mkdirSync(path, mode)
      const below = inside(path)
      if (below !== null) onEvent({ type: 'folder', path: below })
    },
    rmdirSync: (path: string) => {
      real.rmdirSync(path)
      const below = inside(path)
      if (below !== null) onEvent({ type: 'unfolder', path: below })
    },
    writeFileSync: (path: string, text: string, options: { mode: number }) => {
      real.writeFileSync(path, text, options)
      const below = inside(path)
      if (below !== null) named(below)
    },
  }
  Object.assign(fs, recording)
  return () => {
    for (const name of Object.keys(recording)) Object.assign(fs, { [name]: Reflect.get(real, name) })
  }
}
