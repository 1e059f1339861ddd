import { connect, type Socket } from 'node:net'
import { HeadwaterError } from '@headwater/protocol'
import { connectionFailure } from './failure.ts'
import { limits } from './limits.ts'

/** What postgres.js makes of a URL, as it hands it to whoever opens the socket. */
export interface SocketOptions {
  readonly host: readonly string[]
  readonly port: readonly number[]
  /** Of a unix socket. */
  readonly path?: string | false
}

/** A connected socket: to the first of the hosts that answers. */
export async function connectTo({ host, port, path }: SocketOptions): Promise<Socket> {
  if (path) return connected(connect(path), path)
  let failure: unknown
  for (const [i, name] of host.entries()) {
    const number = port[i] ?? 5432
    try {
      const socket = await connected(connect({ host: name, port: number, noDelay: true }), `${name}:${number}`)
      // postgres.js reads the name from the socket, to check a certificate against it.
      return Object.assign(socket, { host: name, port: number })
    } catch (error) {
      failure = error
    }
  }
  throw failure ?? connectionFailure('no host was named')
}

function connected(socket: Socket, address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const giveUp = (why: string) => {
      socket.destroy()
      reject(connectionFailure(`${address} does not answer (${why})`))
    }
    const onError = (error: NodeJS.ErrnoException) => giveUp(error.code ?? error.message)
    const timer = setTimeout(() => giveUp(`within ${limits.connectMs} ms`), limits.connectMs)
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve(socket)
    })
    socket.once('close', () => clearTimeout(timer))
  })
}

/**
 * The URL without what is meant for libpq or an ORM and not for the server: postgres.js hands over everything it does not know,
 * and the server refuses the connection for it.
 */
export function withoutClientSettings(url: string): string {
  const at = url.indexOf('?')
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new HeadwaterError(
      'invalid',
      'The address of the database is not a URL of a PostgreSQL.',
      'It looks like postgres://user:password@host:5432/database.',
    )
  }
  if (at < 0) return url
  const kept = url
    .slice(at + 1)
    .split('&')
    .filter((part) => !clientSettings.has(part.split('=')[0] ?? ''))
  return kept.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${kept.join('&')}`
}

const clientSettings = new Set(
  (
    'channel_binding gssencmode krbsrvname passfile requirepeer require_auth sslcert sslkey sslcrl sslpassword sslcompression sslsni sslnegotiation ' +
    'keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout connection_limit pool_timeout pgbouncer schema socket_timeout'
  ).split(' '),
)
