// A client of the gateway: when it has the connection, and what goes with it when somebody else has it.
import type { EmbeddedDatabase, Guest } from './embedded.ts'
import { sqlFailure } from './failure.ts'
import { limits } from './limits.ts'
import { createRemembered } from './remembered.ts'
import type { Settings } from './startup.ts'
import type { EndTurn } from './turns.ts'
import {
  bind,
  copyFail,
  copyInResponse,
  describePortal,
  errorResponse,
  execute,
  messagesOf,
  parse,
  protocolFailure,
  readAnswer,
  simpleQuery,
  sync,
  type WireMessage,
} from './wire.ts'

export interface GatewayGuest {
  /** What the client asked for when it connected. Before anything else. */
  settle(settings: Settings): void
  /** Answers a message, with nothing where the protocol has nothing to say yet. */
  receive(message: WireMessage): Promise<Buffer>
  /** Rolls back, and gives the turn back. */
  leaveForGood(): Promise<void>
}

type Seat = EmbeddedDatabase['seat']

/** `onIdle` is told when the client has left its transaction alone for `idleMs`, and it has been rolled back. */
export function createGuest(seat: Seat, idleMs: number, onIdle: (farewell: Buffer) => void): GatewayGuest {
  const statements = createRemembered()
  const collected = createCollected()
  const session: Guest = { enter, leave }
  let settings: Settings = new Map()
  let copy: Copy | null = null
  let endTurn: EndTurn | null = null
  let idleTimer: NodeJS.Timeout | undefined
  let isGone = false

  async function enter(): Promise<void> {
    if (settings.size > 0) await applySettings(seat, settings)
  }

  async function leave(): Promise<void> {
    if (!isGone) settings = (await readSettings(seat)) ?? settings
    await seat.send([simpleQuery('discard all')])
    statements.leave()
  }

  async function receive(message: WireMessage): Promise<Buffer> {
    clearTimeout(idleTimer)
    try {
      if (copy) return await receiveCopy(copy, message)
      if (message.type === 'Q' && isCopyIn(message)) {
        copy = createCopy(message)
        return copyInResponse
      }
      // One that PostgreSQL does not know would end it, and with it the database of everybody else.
      if (!known.has(message.type)) throw protocolFailure(`a message of type ${JSON.stringify(message.type)}`)
      collected.add(message)
      return wantsAnswer.has(message.type) ? await carryOut(collected.take()) : nothing
    } finally {
      if (endTurn && !isGone) idleTimer = setTimeout(giveUp, idleMs)
    }
  }

  async function receiveCopy(open: Copy, message: WireMessage): Promise<Buffer> {
    if (message.type === 'H' || message.type === 'S') return nothing
    if (message.type === 'd') {
      open.add(message)
      return nothing
    }
    if (message.type !== 'c' && message.type !== 'f') throw protocolFailure(`a message ${message.type} in the middle of a COPY`)
    copy = null
    const answer = await carryOut([open.query], open.end(message))
    // The client has been told to send data already.
    return Buffer.concat([...messagesOf(answer)].filter(({ type }) => type !== 'G').map(({ whole }) => whole))
  }

  /** `data` follows the last message: what a COPY is to read. */
  async function carryOut(messages: readonly WireMessage[], data: readonly Buffer[] = [copyFail]): Promise<Buffer> {
    endTurn ??= await seat.take(session)
    if (isGone) return nothing
    const revived = statements.missing(messages)
    const bytes = await seat.send([...revived, ...messages.flatMap((message) => (mayCopy.has(message.type) ? [message.whole, ...data] : [message.whole]))])
    const answer = readAnswer(bytes)
    const shown = statements.settle(revived.length, messages, answer, bytes)
    if (answer.status === 'I') release()
    return shown
  }

  function release(): void {
    endTurn?.()
    endTurn = null
    seat.wake()
  }

  function giveUp(): void {
    const farewell = errorResponse('FATAL', '25P03', `a transaction was left alone for ${idleMs} ms`)
    void leaveForGood().finally(() => onIdle(farewell))
  }

  async function leaveForGood(): Promise<void> {
    clearTimeout(idleTimer)
    if (isGone) return
    isGone = true
    if (!endTurn) return
    // A database that has stopped has rolled back by that.
    await seat.send([sync, simpleQuery('rollback')]).catch(() => undefined)
    release()
  }

  return {
    settle: (asked) => {
      settings = asked
    },
    receive,
    leaveForGood,
  }
}

const nothing = Buffer.alloc(0)
/** Query, Parse, Bind, Describe, Execute, Close, Sync, Flush, FunctionCall, and what may be left of a COPY that has failed. */
const known = new Set('QPBDECSHFdcf')
/** Query, Sync, Flush, FunctionCall. */
const wantsAnswer = new Set(['Q', 'S', 'H', 'F'])
/** Query, Execute: what a COPY FROM STDIN may hide in. */
const mayCopy = new Set(['Q', 'E'])

/** One COPY FROM STDIN and nothing else. */
const isCopyIn = ({ body }: WireMessage) => /^\s*copy\s[^;]*\sfrom\s+stdin\b[^;]*;?\s*\0$/i.test(body.toString('utf8'))

function createCollected() {
  let messages: WireMessage[] = []
  let bytes = 0
  return {
    add: (message: WireMessage) => {
      bytes += message.whole.length
      if (bytes > limits.gatewayBytesMax) throw protocolFailure(`more than ${limits.gatewayBytesMax} bytes without a Sync`)
      messages.push(message)
    },
    take: () => {
      const taken = messages
      messages = []
      bytes = 0
      return taken
    },
  }
}

type Copy = ReturnType<typeof createCopy>

/** PGlite reads in one go: the data is collected until it is complete. */
function createCopy(query: WireMessage) {
  const data: Buffer[] = []
  let bytes = 0
  return {
    query,
    add: ({ whole }: WireMessage) => {
      bytes += whole.length
      if (bytes > limits.gatewayCopyBytesMax) data.length = 0
      else data.push(whole)
    },
    /** What to send after the query: all of the data, or that there was too much of it. */
    end: (last: WireMessage): readonly Buffer[] => (bytes > limits.gatewayCopyBytesMax ? [copyFail] : [...data, last.whole]),
  }
}

async function applySettings(seat: Seat, settings: Settings): Promise<void> {
  const each = [...settings].flatMap(([name, value]) => [bind('', '', [name, value]), execute('', 0)])
  const { error } = readAnswer(await seat.send([parse('', 'select set_config($1, $2, false)'), ...each, sync]))
  if (error) throw sqlFailure({ ...error, severity: 'FATAL' })
}

/**
 * What the client has set, in the order in which it can be set again: a role comes after the user that may take it. Null if that
 * cannot be found out: what it has set may keep it from being read.
 */
async function readSettings(seat: Seat): Promise<Settings | null> {
  const text = `
    select 'session_authorization' as name, session_user::text as setting where session_user <> 'postgres'
    union all select 'role', current_setting('role') where current_setting('role') <> 'none'
    union all select name, setting from pg_settings where source = 'session'`
  const { statements, error } = readAnswer(await seat.send([parse('', text), bind('', '', []), describePortal(''), execute('', 0), sync]))
  return error ? null : new Map(statements[0]?.rows.map(({ name, setting }) => [String(name), String(setting)]))
}
