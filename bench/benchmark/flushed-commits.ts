// Commits a second of an embedded database, one after the other: flushed to the medium, and against what it does without.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '@headwater/server'
import type { Figure } from '../figure.ts'

const commits = 2_000

export async function flushedCommits(): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  try {
    const limit = await rateOf(join(directory, 'not'), false)
    const value = await rateOf(join(directory, 'flushed'), true)
    return [{ name: 'commits of an embedded database, flushed', unit: 'per second', value, limit }]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function rateOf(directory: string, durable: boolean): Promise<number> {
  const database = await openEmbedded({ directory, durable })
  await database.execute('create table item (id int primary key, text text)')
  const insert = (id: number) => database.query('insert into item values ($1::int, $2::text)', [id, 'x'.repeat(100)])
  for (let id = 0; id < 100; id++) await insert(id)
  const start = performance.now()
  for (let id = 0; id < commits; id++) await insert(1_000 + id)
  const rate = (commits * 1_000) / (performance.now() - start)
  await database.close()
  return rate
}
