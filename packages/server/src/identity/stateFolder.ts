// What a server remembers of its databases, outside of them: a file that is small, and no secret.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import type { Known } from './judge.ts'

export interface StateFolder {
  readonly directory: string
  /** All that is remembered; nothing if there is no file. Throws `state` for one that cannot be read: nobody knows then what it said. */
  read(): Promise<readonly Known[]>
  /** Remembers one in the place of what was known of its place. Several servers may share the file: the last one says it. */
  write(known: Known): Promise<void>
}

const name = 'identity.json'
const placesMax = 100

export function createStateFolder(directory: string): StateFolder {
  const path = join(directory, name)

  async function read(): Promise<readonly Known[]> {
    try {
      return parse(await readFile(path, 'utf8'))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      const why = error instanceof Error ? error.message : String(error)
      throw new HeadwaterError(
        'state',
        `What was remembered of the database cannot be read: ${path}: ${why}.`,
        'Put the file back, or remove it to remember anew.',
      )
    }
  }

  async function write(known: Known): Promise<void> {
    const others = (await read()).filter(({ place }) => place.text !== known.place.text && (place.node === null || place.node !== known.place.node))
    const text = JSON.stringify({ headwater: 1, known: [...others, known].slice(-placesMax) }, null, 2)
    await mkdir(dirname(path), { recursive: true })
    const beside = `${path}.${randomUUID()}`
    try {
      await writeFile(beside, `${text}\n`, { mode: 0o600, flush: true })
      await rename(beside, path)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }

  return { directory, read, write }
}

function parse(text: string): readonly Known[] {
  const { known }: { known?: unknown } = JSON.parse(text)
  if (!Array.isArray(known) || !known.every(isKnown)) throw new Error('it has not the form of one')
  return known
}

function isKnown(value: Partial<Known> | null): value is Known {
  const { place, server, database, decisions, cursor } = value ?? {}
  const areTexts = [place?.text, server, database].every((one) => typeof one === 'string')
  return areTexts && [place?.node, cursor].every((one) => one === null || typeof one === 'string') && Array.isArray(decisions)
}
