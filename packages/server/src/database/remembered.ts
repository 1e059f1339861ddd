import { limits } from './limits.ts'
import { type Answer, messagesOf, protocolFailure, type WireMessage } from './wire.ts'

/**
 * The statements that a client of the gateway has prepared by the protocol, as it sent them. Whenever somebody else had the
 * connection it has lost them, and they are prepared again before they are used.
 */
export interface Remembered {
  /** Parse messages to be sent before `messages`, for statements that those use and the connection has lost. */
  missing(messages: readonly WireMessage[]): readonly Buffer[]
  /** After it has been answered: takes note, and gives the answer without what the client did not ask for. */
  settle(revived: number, messages: readonly WireMessage[], answer: Answer, bytes: Buffer): Buffer
  /** Somebody else has the connection from now on. */
  leave(): void
}

export function createRemembered(): Remembered {
  const parses = new Map<string, Buffer>()
  const here = new Set<string>()
  let missed: string[] = []

  function missing(messages: readonly WireMessage[]): readonly Buffer[] {
    const known = new Set(here)
    missed = []
    for (const message of messages) {
      if (message.type === 'P') known.add(nameOf(message.body))
      const used = usedBy(message)
      if (used === null || known.has(used) || !parses.has(used)) continue
      known.add(used)
      missed.push(used)
    }
    return missed.flatMap((name) => parses.get(name) ?? [])
  }

  function settle(revived: number, messages: readonly WireMessage[], answer: Answer, bytes: Buffer): Buffer {
    for (const name of missed.slice(0, answer.parsed)) here.add(name)
    let parsed = answer.parsed - revived
    for (const message of messages) {
      if (message.type === 'P' && parsed-- > 0) remember(nameOf(message.body), message.whole)
      else if (message.type === 'C' && message.body[0] === statementKind) forget(nameOf(message.body.subarray(1)))
      // A simple query takes the place of the statement without a name.
      else if (message.type === 'Q') forget('')
    }
    if (answer.statements.some(({ tag }) => tag === 'DEALLOCATE ALL' || tag === 'DISCARD ALL')) forgetAll()
    return revived === 0 ? bytes : withoutFirstParses(bytes, revived)
  }

  function remember(name: string, whole: Buffer): void {
    if (parses.size >= limits.gatewayStatementsMax) throw protocolFailure(`more than ${limits.gatewayStatementsMax} prepared statements`)
    // A copy: the message is a piece of a larger one, which it would keep in memory.
    parses.set(name, Buffer.from(whole))
    here.add(name)
  }

  function forget(name: string): void {
    parses.delete(name)
    here.delete(name)
  }

  function forgetAll(): void {
    parses.clear()
    here.clear()
  }

  return { missing, settle, leave: () => here.clear() }
}

const statementKind = 'S'.charCodeAt(0)

const nameOf = (body: Buffer) => body.toString('utf8', 0, body.indexOf(0))

/** The name of the prepared statement that a Bind or a Describe needs. */
function usedBy({ type, body }: WireMessage): string | null {
  if (type === 'B') return nameOf(body.subarray(body.indexOf(0) + 1))
  return type === 'D' && body[0] === statementKind ? nameOf(body.subarray(1)) : null
}

function withoutFirstParses(bytes: Buffer, count: number): Buffer {
  let left = count
  return Buffer.concat([...messagesOf(bytes)].filter(({ type }) => type !== '1' || left-- <= 0).map(({ whole }) => whole))
}
