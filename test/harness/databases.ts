// The databases on which every suite of a contract runs.
import postgres from 'postgres'
import { inject } from 'vitest'
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import type { Database } from '../../packages/server/src/ports.ts'

export interface OpenedDatabase {
  readonly database: Database
  /** For clients of the test's own; null where there is no server to connect to. */
  readonly url: string | null
  /** Closes the database and removes it. */
  close(): Promise<void>
}

export interface DatabaseKind {
  readonly name: string
  /** A fresh, empty database. */
  readonly open: () => Promise<OpenedDatabase>
}

/** For `describe.each`. */
export const databases: readonly DatabaseKind[] = [
  { name: 'embedded', open: openMemory },
  { name: 'native 18', open: openNative },
]

async function openMemory(): Promise<OpenedDatabase> {
  const database = await openEmbedded({ directory: null })
  return { database, url: null, close: database.close }
}

let opened = 0

async function openNative(): Promise<OpenedDatabase> {
  const admin = new URL(inject('nativeUrl'))
  const name = `test_${process.pid}_${++opened}`
  await administer(admin, `create database ${name} template template0`)
  const url = new URL(admin)
  url.pathname = `/${name}`
  const database = await openPostgres(url.href)
  const close = async () => {
    await database.close()
    await administer(admin, `drop database if exists ${name} with (force)`)
  }
  return { database, url: url.href, close }
}

async function administer(url: URL, statement: string): Promise<void> {
  const sql = postgres(url.href, { max: 1, onnotice: () => undefined })
  await sql.unsafe(statement).finally(() => sql.end())
}
