import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Place } from '../ports.ts'
import type { Host } from './address.ts'

/** The same for all names of this machine, with the port that is meant where none is given, and for every person and password. */
export function placeOf(hosts: readonly Host[]): Place {
  const names = hosts.map(({ config: { host = '', port = 5432 } }) => `${local.has(host.toLowerCase()) ? 'localhost' : host.toLowerCase()}:${port}`)
  const [first] = hosts
  return { text: `postgres://${names.join(',')}/${first?.config.database ?? first?.config.user ?? ''}`, node: null }
}

const local: ReadonlySet<string> = new Set(['', 'localhost', '127.0.0.1', '::1', '[::1]'])

/** `files`: the folder in it that is PostgreSQL's. */
export async function placeIn(directory: string, files: string): Promise<Place> {
  const text = await realpath(directory)
  const { dev, ino } = await stat(join(text, files), { bigint: true })
  return { text, node: `${dev}:${ino}` }
}
