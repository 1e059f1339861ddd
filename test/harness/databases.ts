// The databases on which every suite of a contract runs.
import postgres from 'postgres'
import { inject } from 'vitest'
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import type { Database } from '../../packages/server/src/ports.ts'
import { versionTested } from './native.ts'
import { startPooler } from './pooler.ts'

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

/** A server, whatever else is tried. */
export const native: DatabaseKind = { name: `native ${versionTested}`, open: openNative }

/** For `describe.each`. Where another version is tried, it alone. */
export const databases: readonly DatabaseKind[] = process.env.HEADWATER_POSTGRES ? [native] : [{ name: 'embedded', open: openMemory }, native]

/** The server of the tests behind PgBouncer, without another way to it: nobody is notified. */
export const throughPooler: DatabaseKind = { name: `native ${versionTested} through a pooler`, open: openThroughPooler }

async function openThroughPooler(): Promise<OpenedDatabase> {
  const { name, url, drop } = await createDatabase(inject('nativeUrl'))
  const pooler = await startPooler(url)
  const database = await openPostgres(pooler.url(name))
  const close = async () => {
    await database.close()
    await pooler.stop()
    await drop()
  }
  return { database, url, close }
}

async function openMemory(): Promise<OpenedDatabase> {
  const database = await openEmbedded({ directory: null })
  return { database, url: null, close: database.close }
}

async function openNative(): Promise<OpenedDatabase> {
  const { url, drop } = await createDatabase(inject('nativeUrl'))
  const database = await openPostgres(url)
  const close = async () => {
    await database.close()
    await drop()
  }
  return { database, url, close }
}

let opened = 0

/** A new database of a server. */
export async function createDatabase(serverUrl: string): Promise<{ readonly name: string; readonly url: string; drop(): Promise<void> }> {
  const admin = new URL(serverUrl)
  const name = `test_${process.pid}_${++opened}`
  await administer(admin, `create database ${name} template template0`)
  const url = new URL(admin)
  url.pathname = `/${name}`
  return { name, url: url.href, drop: () => administer(admin, `drop database if exists ${name} with (force)`) }
}

async function administer(url: URL, statement: string): Promise<void> {
  const sql = postgres(url.href, { max: 1, onnotice: () => undefined })
  await sql.unsafe(statement).finally(() => sql.end())
}
