// What the URL of a PostgreSQL says.

import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { HeadwaterError } from '@headwater/protocol'

/** disable: never. prefer: if the server can. require: always, whoever the server is. verify: and it must be who it says. */
export type Encryption = 'disable' | 'prefer' | 'require' | 'verify'

export interface Address {
  /** Tried in order. A name that begins with a slash is the directory of a unix socket. */
  readonly hosts: readonly { readonly name: string; readonly port: number }[]
  readonly user: string
  readonly password: string
  readonly database: string
  readonly encryption: Encryption
  /** The certificate of whoever signs the server's; undefined: those that Node trusts. */
  readonly authority: Buffer | undefined
  /** Settings of the session, such as `application_name` or `options`. */
  readonly settings: Readonly<Record<string, string>>
}

/** Reads `postgres://user:password@host:5432/database?sslmode=verify-full`. Throws `invalid`, without quoting it: it holds a password. */
export function parseAddress(url: string): Address {
  const parts = /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(url)
  if (!parts) throw invalid('it does not begin as one', url)
  try {
    const [user, password, hosts = '', database] = parts.slice(1).map((part) => part && decodeURIComponent(part))
    return addressOf({ user, password, hosts, database }, new URLSearchParams(parts[5] ?? ''))
  } catch (error) {
    if (error instanceof HeadwaterError) throw error
    throw invalid('it cannot be decoded', url)
  }
}

interface Parts {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly hosts: string
  readonly database: string | undefined
}

function addressOf({ user, password, hosts, database }: Parts, query: URLSearchParams): Address {
  const name = query.get('user') ?? (user || process.env.PGUSER || userInfo().username)
  const root = query.get('sslrootcert')
  return {
    hosts: (query.get('host') ?? (hosts || 'localhost')).split(',').map((host) => hostOf(host, query.get('port'))),
    user: name,
    password: query.get('password') ?? (password || process.env.PGPASSWORD || ''),
    database: query.get('dbname') ?? (database || name),
    encryption: encryptionOf(query.get('sslmode') ?? 'prefer'),
    authority: root === null || root === 'system' ? undefined : readAuthority(root),
    settings: Object.fromEntries([...query].filter(([key]) => !clientSettings.has(key))),
  }
}

function readAuthority(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new HeadwaterError('invalid', `The certificate ${path} cannot be read: ${String(error)}.`, 'Correct sslrootcert in the URL of the database.')
  }
}

function hostOf(text: string, port: string | null): { readonly name: string; readonly port: number } {
  const parts = text.startsWith('/') ? [text, text] : /^(?:\[(.+)\]|([^:]*))(?::(\d+))?$/.exec(text)
  if (!parts) throw invalid('its host is not one', text)
  return { name: parts[1] || parts[2] || 'localhost', port: Number(text.startsWith('/') ? (port ?? 5432) : (parts[3] ?? port ?? 5432)) }
}

function encryptionOf(mode: string): Encryption {
  const encryption = encryptions.get(mode)
  if (encryption === undefined)
    throw new HeadwaterError('invalid', `The database's URL asks for sslmode=${mode}.`, `There are ${[...encryptions.keys()].join(', ')}.`)
  return encryption
}

/** As libpq has them. Authorities are always checked along with names: `verify-ca` is taken for the stricter one. */
const encryptions: ReadonlyMap<string, Encryption> = new Map([
  ['disable', 'disable'],
  ['allow', 'prefer'],
  ['prefer', 'prefer'],
  ['require', 'require'],
  ['no-verify', 'require'],
  ['verify-ca', 'verify'],
  ['verify-full', 'verify'],
])

/** What is meant for libpq or an ORM: a server refuses a connection that asks for a setting it does not have. */
const clientSettings = new Set(
  (
    'user password host port dbname sslmode sslrootcert ssl channel_binding gssencmode krbsrvname passfile requirepeer require_auth sslcert sslkey sslcrl ' +
    'sslpassword sslcompression sslsni sslnegotiation target_session_attrs load_balance_hosts connect_timeout keepalives keepalives_idle keepalives_interval ' +
    'keepalives_count tcp_user_timeout connection_limit pool_timeout pgbouncer schema socket_timeout'
  ).split(' '),
)

const invalid = (why: string, url: string) =>
  new HeadwaterError(
    'invalid',
    `The database's URL cannot be read: ${why} (${url.length} characters).`,
    'It looks like postgres://user:password@host:5432/database.',
  )
