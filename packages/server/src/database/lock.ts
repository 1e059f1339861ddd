// Invariant: at most one process holds a directory. Everyone who wants it first puts up a socket of their own, under a name
// nobody uses twice, and looks around only then: of two, the later one always sees the earlier. Whether the owner of a
// socket lives is not guessed from process ids, which are reused and differ between containers: a socket answers if its
// process lives, and the operating system takes it down when it dies, kill -9 included.

import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'

/**
 * Holds `directory` until the answer is called or the process ends. Throws `locked` when somebody else holds it, naming their
 * process. Two who ask at the same instant may both be refused; neither is ever let in beside the other.
 *
 * Works where unix sockets do: Linux and macOS, containers of one kernel included. Not between machines that share a network file system.
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const locks = join(await realpath(directory), 'locks')
  await mkdir(locks, { recursive: true, mode: 0o700 })
  const name = `${process.pid}-${randomBytes(6).toString('hex')}`
  const server = await listen(locks, name)
  const release = async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()))
    await rm(join(locks, name), { force: true })
  }
  try {
    await refuseOthers(directory, locks, name)
    return release
  } catch (error) {
    await release()
    throw error
  }
}

async function refuseOthers(directory: string, locks: string, own: string): Promise<void> {
  for (const name of await readdir(locks)) {
    if (name === own) continue
    if (await isAlive(locks, name)) throw lockedFailure(directory, name)
    // Names are not used twice, so that this can only remove what is dead.
    await rm(join(locks, name), { force: true })
  }
}

/** A socket's name begins with the process that made it. */
function lockedFailure(directory: string, name: string): HeadwaterError {
  const pid = Number.parseInt(name, 10)
  const holder = pid === process.pid ? 'this process' : `process ${pid}`
  return new HeadwaterError(
    'locked',
    `The embedded database in ${directory} is held by ${holder}.`,
    'Close it there first, or use another directory. Two openers would lose data.',
    { pid },
  )
}

async function listen(locks: string, name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  // The lock alone does not keep a process from ending.
  server.unref()
  await withShortPath(locks, name, (path) => {
    return new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
  })
  return server
}

/** An owner that goes away at this moment resets the connection: who asks again sees what has become of it. */
async function isAlive(locks: string, name: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const code = await withShortPath(locks, name, connectionError)
    if (code === null) return true
    // Nobody listens, it is gone, or it is a file that somebody copied here: none of them is an owner.
    if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') return false
    // Somebody has to be there for it to be full, or to be leaving for so long.
    if (code === 'EAGAIN' || attempt === attemptsMax) return true
  }
}

const attemptsMax = 5

/** Why nothing answers at a path, or null: somebody does. */
function connectionError(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(null)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/** Beyond it, operating systems cut the path of a socket short without a word, or refuse it (104 with the NUL on macOS, 108 on Linux). */
const socketPathBytesMax = 103

/**
 * The directory may lie too deep for a socket's path. Relative to where the process is, it is nearly always short enough; on Linux
 * an open directory has a short name of its own.
 */
async function withShortPath<T>(locks: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const short = [join(locks, name), relative(process.cwd(), join(locks, name))].find(fits)
  if (short !== undefined) return use(short)
  if (process.platform !== 'linux') throw tooDeepFailure(locks)
  const handle = await open(locks, 'r')
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`)
  } finally {
    await handle.close()
  }
}

const fits = (path: string) => Buffer.byteLength(path) <= socketPathBytesMax

const tooDeepFailure = (locks: string) =>
  new HeadwaterError('directory', `${locks} is too long a path for a lock.`, 'Use a directory with a shorter path, or start the process nearer to it.')
