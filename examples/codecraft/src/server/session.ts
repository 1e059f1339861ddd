import { parseSigned, serializeSigned } from 'hono/utils/cookie'
import { personOf } from '../people.ts'
import { readSecret } from './secret.ts'

const cookieName = 'codecraft-session'
const sessionSecondsMax = 30 * 24 * 60 * 60

export interface Session {
  /** The id of a person. */
  readonly user: string
  readonly expiresAt: Date
}

export interface Sessions {
  /** The session that the request carries; null: nobody's, a forged or an expired one. */
  sessionOf(headers: Headers): Promise<Session | null>
  /** The `Set-Cookie` of a new session. */
  begin(personId: string): Promise<string>
  /** The `Set-Cookie` that ends a session. */
  end(): Promise<string>
}

export interface SessionsOptions {
  readonly secretFile: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Sessions as a signed cookie: no script can read it, no other site can use it to change anything. There is no `Secure`: the
 * demo speaks plain HTTP on loopback.
 */
export function createSessions({ secretFile, now }: SessionsOptions): Sessions {
  let known: Promise<string> | undefined
  const secret = () => {
    known ??= readSecret(secretFile)
    return known
  }
  const cookie = async (value: string, maxAge: number) =>
    serializeSigned(cookieName, value, await secret(), { httpOnly: true, sameSite: 'Lax', path: '/', maxAge })

  return {
    sessionOf: async (headers) => {
      const signed = await parseSigned(headers.get('cookie') ?? '', await secret(), cookieName)
      const value = signed[cookieName]
      return typeof value === 'string' ? readValue(value, now()) : null
    },
    begin: (personId) => cookie(`${personId}.${Math.floor(now() / 1000)}`, sessionSecondsMax),
    end: () => cookie('', 0),
  }
}

/** `ada.1795233600`: who, and since when. The browser's own `Max-Age` is not trusted with the end of a session. */
function readValue(value: string, now: number): Session | null {
  const [id = '', since = ''] = value.split('.')
  if (!/^\d{1,12}$/.test(since) || !personOf(id)) return null
  const expiresAt = new Date((Number(since) + sessionSecondsMax) * 1000)
  return expiresAt.getTime() > now ? { user: id, expiresAt } : null
}
