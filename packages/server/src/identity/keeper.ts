// Which database every session has at its other end, and whether it may be served. Invariant: nothing is read for a device from a session, and nothing
// is written for one, before the session was found to continue the past that this server follows.
import { type Cursor, HeadwaterError } from '@headwater/protocol'
import { tryCursor } from '../feed/cursor.ts'
import type { Place, Query } from '../ports.ts'
import { type Finding, judge, type Known, knownAt } from './judge.ts'
import { type Installed, look, type Seen } from './look.ts'
import type { StateFolder } from './stateFolder.ts'

export interface Keeper {
  /**
   * Judges what a session has at its other end. Throws `held` for a database that somebody has to say what it is, `standby`, and `connection` for a session of another
   * server process than the tail's: whoever asked for it tries again.
   */
  check(query: Query): Promise<void>
  /** The same for the tail's own session: from then on all others have to be of its server. Tells whether it is another than before. */
  checkTail(query: Query): Promise<boolean>
  /** Why nobody is served, as far as the last session told; null: somebody is. */
  finding(): Finding | null
  /** From now on sessions have to continue what the tail follows. Remembers the database as it is now. */
  follow(tail: Followed): Promise<void>
  /** Follows no more, and remembers how far it came. */
  leave(): Promise<void>
  /** Writes down how far it has come, if that is not written yet. */
  remember(): Promise<void>
}

interface Followed {
  cursor(): Cursor
  /** False: the tail has no session. Nobody else gets one then, before it was compared. */
  isLive(): boolean
}

interface KeeperDeps {
  /** null: in memory. There is nothing to be remembered of it. */
  readonly place: Place | null
  readonly memory: StateFolder | null
  /** An empty database at a known place was made on purpose. */
  readonly mayBeNew: boolean
  readonly onTrouble: (error: unknown) => void
  /** While it is followed: the database is not the one any more; `null`, somebody has decided what it is from now on. */
  readonly onOther: (finding: Finding | null) => void
  /** While it is followed: another server process answers than the tail's. */
  readonly onOtherServer: () => void
}

export function createKeeper({ place, memory, mayBeNew, onTrouble, onOther, onOtherServer }: KeeperDeps): Keeper {
  const here = place ?? { text: 'memory', node: null }
  let known: readonly Known[] | null = null
  let found: Finding | null = null
  let seen: Seen | null = null
  let followed: Followed | null = null
  let written = ''

  const before = (installed: Installed | null) => knownAt(known ?? [], here, installed)

  /** `isWhole`: the past too. */
  async function judged(query: Query, isWhole: boolean): Promise<Seen> {
    known ??= (await memory?.read()) ?? []
    const text = isWhole && (followed?.cursor() ?? known.find(({ place: { text } }) => text === here.text)?.cursor)
    const now = await look(query, text ? (tryCursor(text)?.position ?? null) : null).catch((error: unknown) => {
      // A timeout or a lack of anything says nothing of what was asked of the session: it cannot be had, for now.
      throw error instanceof HeadwaterError && error.code === 'sql' ? new HeadwaterError('connection', error.message, error.hint, error.details) : error
    })
    if (now.isStandby) throw standby()
    const finding = judge(before(now.installed), here, now.server, now.installed, mayBeNew && followed === null)
    found = finding
    if (finding) {
      if (followed) onOther(finding)
      throw held(finding)
    }
    if (followed && now.installed?.decision !== seen?.installed?.decision) {
      onOther(null)
      throw otherServer()
    }
    return now
  }

  async function check(query: Query): Promise<void> {
    // Until what was served has ended.
    if (followed && found) throw held(found)
    // While it is followed the tail has compared the past, and a session of the same server process has the same.
    const now = await judged(query, followed === null)
    if (followed && (now.server !== seen?.server || !followed.isLive())) {
      onOtherServer()
      throw otherServer()
    }
    seen ??= now
  }

  async function checkTail(query: Query): Promise<boolean> {
    const now = await judged(query, true)
    const isOther = seen !== null && seen.server !== now.server
    seen = now
    return isOther
  }

  async function remember(): Promise<void> {
    const installed = seen?.installed
    if (!installed || !seen) return
    const decisions = [...(before(installed)?.decisions ?? []).filter((one) => one !== installed.decision), installed.decision].slice(-decisionsMax)
    const { database } = installed
    const now: Known = { place: here, server: seen.server, database, decisions, cursor: followed?.cursor() ?? null }
    known = [now]
    if (memory === null || JSON.stringify(now) === written) return
    try {
      await memory.write(now)
      written = JSON.stringify(now)
    } catch (error) {
      onTrouble(error)
    }
  }

  return {
    check,
    checkTail,
    finding: () => found,
    follow: async (next) => {
      followed = next
      await remember()
    },
    leave: async () => {
      await remember()
      followed = null
      known = memory === null ? known : null
      seen = null
    },
    remember,
  }
}

const decisionsMax = 100

export const held = ({ kind, message, hint }: Finding) => new HeadwaterError('held', message, hint, { kind })

const otherServer = () => new HeadwaterError('connection', 'The database is served by another process than before.', 'It is tried again.')

const standby = () =>
  new HeadwaterError(
    'standby',
    'This PostgreSQL is a standby in recovery.',
    'Give Headwater the URL of the primary: a standby does not show transactions in progress.',
  )
