// How a PostgreSQL is told who we are: nothing, a password, its MD5, or SCRAM-SHA-256 (RFC 5802 and 7677).

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { HeadwaterError } from '@headwater/protocol'
import { cstring, int32, message } from './wire.ts'

/** Answers the server's Authentication messages, one after the other; null when it asks for nothing. */
export interface Authentication {
  answer(body: Buffer): Promise<Buffer | null>
}

export function createAuthentication(user: string, password: string): Authentication {
  let scram: Scram | null = null
  let isVerified = false

  async function answer(body: Buffer): Promise<Buffer | null> {
    const kind = body.readInt32BE(0)
    switch (kind) {
      case 0:
        if (scram && !isVerified) throw refusal('lets us in without having proved itself')
        return null
      case 3:
        return message('p', cstring(password))
      case 5:
        return message('p', cstring(md5Password(user, password, body.subarray(4, 8))))
      case 10:
        if (!body.toString('utf8', 4).split('\0').includes('SCRAM-SHA-256')) throw refusal('asks for a mechanism that is not spoken here')
        scram = createScram(password)
        return scram.first()
      case 11:
        return demand(scram).proof(body.toString('utf8', 4))
      case 12:
        demand(scram).verify(body.toString('utf8', 4))
        isVerified = true
        return null
      default:
        throw refusal(`asks for authentication ${kind}, which is not spoken here`)
    }
  }

  return { answer }
}

function md5Password(user: string, password: string, salt: Buffer): string {
  const md5 = (...parts: readonly (string | Buffer)[]) => parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex')
  return `md5${md5(md5(password, user), salt)}`
}

interface Scram {
  first(): Buffer
  proof(serverFirst: string): Promise<Buffer>
  /** The server has to prove that it knows the password as well. */
  verify(serverFinal: string): void
}

/** A server that asks for more rounds would only keep us busy. PostgreSQL's default is 4,096. */
const roundsMax = 10_000_000

function createScram(password: string): Scram {
  const nonce = randomBytes(18).toString('base64')
  const clientFirst = `n=*,r=${nonce}`
  let signature: Buffer | null = null

  return {
    first: () => {
      const bytes = Buffer.from(`n,,${clientFirst}`)
      return message('p', cstring('SCRAM-SHA-256'), int32(bytes.length), bytes)
    },
    proof: async (serverFirst) => {
      const { r: both = '', s: salt = '', i = '' } = attributesOf(serverFirst)
      const rounds = Number(i)
      if (!both.startsWith(nonce) || both === nonce || !(rounds > 0 && rounds <= roundsMax)) throw refusal('answered with a handshake that is none')
      // Normalised as SASLprep does for nearly every password that is not ASCII.
      const salted = await promisify(pbkdf2)(password.normalize('NFKC'), Buffer.from(salt, 'base64'), rounds, 32, 'sha256')
      const clientKey = hmac(salted, 'Client Key')
      const withoutProof = `c=biws,r=${both}`
      const signed = `${clientFirst},${serverFirst},${withoutProof}`
      const clientSignature = hmac(createHash('sha256').update(clientKey).digest(), signed)
      signature = hmac(hmac(salted, 'Server Key'), signed)
      const proof = clientKey.map((byte, at) => byte ^ (clientSignature[at] ?? 0))
      return message('p', Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`))
    },
    verify: (serverFinal) => {
      const given = Buffer.from(attributesOf(serverFinal).v ?? '', 'base64')
      if (signature === null || given.length !== signature.length || !timingSafeEqual(given, signature)) throw refusal('does not know the password itself')
    },
  }
}

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()

const attributesOf = (text: string): Readonly<Record<string, string>> => Object.fromEntries(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))

function demand(scram: Scram | null): Scram {
  if (scram === null) throw refusal('went on with a handshake that it had not begun')
  return scram
}

const refusal = (why: string) =>
  new HeadwaterError('connection', `The database's server ${why}.`, 'Check its pg_hba.conf, and that the URL leads where it should.')
