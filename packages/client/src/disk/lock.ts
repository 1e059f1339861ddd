// Invariant: who holds a lock has announced itself with a file of its own name before it looked for others. Of two that want it, the
// one that looks later sees the other. A file names a process that cannot come back (its id and its start), so removing a dead one's
// file is safe at any time, by anybody, any number of times.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'

export interface Lock {
  release(): Promise<void>
}

/** Two that start at the same moment may each see the other and both step back: then they try again, after waits of different length. */
const attemptsMax = 5
let locksOfThisProcess = 0

/**
 * Takes the lock of a file, or throws `disk-blocked` saying who has it. The lock of a dead process counts for nothing. Holds between
 * processes of one machine that see each other's process ids; not across containers or a network drive.
 */
export async function takeLock(path: string): Promise<Lock> {
  for (let attempt = 1; ; attempt++) {
    const mine = `${basename(path)}.lock.${process.pid}.${startOf(process.pid)}.${++locksOfThisProcess}`
    await (await open(join(dirname(path), mine), 'wx', 0o600)).close()
    const release = () => rm(join(dirname(path), mine), { force: true })
    const holder = await otherHolder(path, mine).catch(async (error) => {
      await release()
      throw error
    })
    if (holder === null) return { release }
    await release()
    if (attempt === attemptsMax) throw new HeadwaterError('disk-blocked', `${path} is open in process ${holder}.`, 'Close it there first.', { holder })
    await wait((process.pid % 7) * 3 + attempt * 5)
  }
}

/** The id of a living process that has announced itself, or null. Removes what dead ones left. */
async function otherHolder(path: string, mine: string): Promise<number | null> {
  const prefix = `${basename(path)}.lock.`
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || name === mine) continue
    const [pid = '', start = ''] = name.slice(prefix.length).split('.')
    if (isAlive(Number(pid)) && startOf(Number(pid)) === start) return Number(pid)
    await rm(join(dirname(path), name), { force: true })
  }
  return null
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Signal 0 is refused with ESRCH for a process that is gone, and with EPERM for one of another person.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process was started, in a form that is the same each time it is asked: tells a process from a later one of the same id. */
function startOf(pid: number): string {
  try {
    if (process.platform === 'linux') return linuxStartOf(pid)
    if (process.platform === 'win32') return 'unknown'
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C', TZ: 'UTC' } }).replace(/\W+/g, '-')
  } catch {
    return 'gone'
  }
}

/** Ticks since boot, and which boot. The name of a process, in brackets, may itself hold brackets and spaces. */
function linuxStartOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return `${ticks}-${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}`
}
