// What the URL of a PostgreSQL says, as node-postgres wants to be told it.

import { HeadwaterError } from '@headwater/protocol'
import type { ClientConfig } from 'pg'
import { type ConnectionOptions, parse, toClientConfig } from 'pg-connection-string'
import { limits } from './limits.ts'

export interface Host {
  readonly config: ClientConfig
  /** A server without encryption will do. */
  readonly mayBePlain: boolean
}

/**
 * Reads `postgres://user:password@host:5432/database?sslmode=verify-full` as libpq does. Hosts between commas are to be tried in order. Without
 * sslmode the conversation is encrypted if the server can. Throws `invalid`, without quoting the URL: it holds a password.
 */
export function parseAddress(url: string): readonly Host[] {
  const [, before = '', hosts = '', after = ''] = /^(postgres(?:ql)?:\/\/(?:[^@/?]*@)?)([^@/?]*)(.*)$/s.exec(url) ?? []
  if (before === '') throw invalid('it does not begin as one')
  return hosts.split(',').map((host) => hostOf(before + host + after))
}

function hostOf(url: string): Host {
  try {
    const options = parse(url, { useLibpqCompat: true })
    const { mode, ssl } = encryptionOf(options)
    return { config: configOf(options, ssl), mayBePlain: mode === 'prefer' || mode === 'allow' }
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Only what is named here is taken from the URL: it may hold what is meant for other tools, or would change how node-postgres works. The
 * password is a function so that node-postgres does not look for a file of passwords, which it has deprecated.
 */
function configOf(options: ConnectionOptions, ssl: ClientConfig['ssl']): ClientConfig {
  const given = toClientConfig(options)
  return {
    host: given.host,
    port: given.port,
    user: given.user,
    database: given.database,
    password: () => options.password || process.env.PGPASSWORD || '',
    ssl: given.host?.startsWith('/') ? false : ssl,
    sslnegotiation: given.sslnegotiation,
    enableChannelBinding: options.channel_binding !== 'disable',
    options: given.options,
    application_name: given.application_name,
    fallback_application_name: 'headwater',
    statement_timeout: given.statement_timeout,
    lock_timeout: given.lock_timeout,
    idle_in_transaction_session_timeout: given.idle_in_transaction_session_timeout,
    connectionTimeoutMillis: limits.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.keepAliveMs,
  }
}

/** What the parser leaves open: no mode at all, and the modes that it does not know or would be stricter about than it was asked to be. */
function encryptionOf({ sslmode, ssl }: ConnectionOptions): { readonly mode: unknown; readonly ssl: ClientConfig['ssl'] } {
  const mode = sslmode ?? (ssl === undefined ? 'prefer' : 'as ssl says')
  if (!modes.has(mode)) throw new Error(`there is no sslmode=${String(mode)}`)
  if (typeof ssl === 'string') return { mode, ssl: ssl !== 'false' }
  if (typeof ssl === 'boolean') return { mode, ssl }
  const { cert, ...rest } = ssl ?? {}
  const isUnverified = mode === 'prefer' || mode === 'allow' || mode === 'no-verify'
  return { mode, ssl: { ...rest, ...(cert && { cert }), ...(isUnverified && { rejectUnauthorized: false }) } }
}

const modes: ReadonlySet<unknown> = new Set(['as ssl says', 'disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full'])

const invalid = (why: string) =>
  new HeadwaterError('invalid', `The database's URL cannot be read: ${why}.`, 'It looks like postgres://user:password@host:5432/database.')
