import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const secretLength = 43

/** The secret that signs sessions: made at the first start, readable by its owner only, the same from then on. Deleting it signs everybody out. */
export async function readSecret(file: string): Promise<string> {
  mkdirSync(dirname(file), { recursive: true })
  try {
    // `wx` fails where the file is there already: of two processes that start at once, one makes the secret and both use it.
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (!isThere(error)) throw error
  }
  for (let attempt = 0; attempt < 20; attempt++) {
    const secret = readFileSync(file, 'utf8').trim()
    if (secret.length >= secretLength) return secret
    // The other process has made the file and not yet written into it.
    await wait(25)
  }
  throw new Error(`${file} holds no secret. Delete it: a new one is made at the next start, and everybody signs in again.`)
}

const isThere = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'EEXIST'
