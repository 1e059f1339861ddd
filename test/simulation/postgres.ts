// The PostgreSQL of the simulation: PGlite, with one connection that everybody's sessions take turns with, and as it was at any moment that was kept.
import { readFile } from 'node:fs/promises'
import { PGlite } from '@electric-sql/pglite'
import { createPrepared } from '../../packages/server/src/database/prepared.ts'
import { createSession, type Session } from '../../packages/server/src/database/session.ts'
import { template, templatePath } from '../../packages/server/src/database/template.ts'
import { readAnswer } from '../../packages/server/src/database/wire.ts'
import { openInTurns, type Postgres, type Turn } from './database.ts'
import { giveChance, type Image, placesOf, putBack, takeImage, wordsOf } from './image.ts'

const settings = ['shared_buffers=16MB', 'max_wal_size=128MB', 'min_wal_size=32MB', 'max_prepared_transactions=0']

/** `fill`: where its chance comes from. */
export async function openPglite(fill: (bytes: Uint8Array) => void): Promise<Postgres<Image>> {
  // The template is made where it is not there yet.
  await template()
  const loadDataDir = new Blob([await readFile(await templatePath())])
  const pglite = await PGlite.create({ loadDataDir, startParams: [...PGlite.defaultStartParams, ...settings.flatMap((one) => ['-c', one])] })
  const { Module: module } = pglite
  giveChance(module, fill)
  let asked = 0
  let underWay = 0
  let last: Promise<unknown> = Promise.resolve()
  let session = newSession()
  // A library that is loaded is known to JavaScript as well, which no image puts back: it is there in all of them.
  await session.execute('do $$ begin perform 1; end $$')
  const started = await startedAt()

  function newSession(): Session {
    return createSession({ send: async (messages) => readAnswer(await send(messages)) }, { version: 0 }, { prepared: createPrepared() })
  }

  async function send(messages: readonly Buffer[]): Promise<Buffer> {
    asked++
    underWay++
    const pieces: Buffer[] = []
    try {
      await pglite.execProtocolRawStream(Buffer.concat(messages), { syncToFs: false, onRawData: (piece) => pieces.push(Buffer.from(piece)) })
    } finally {
      underWay--
    }
    return Buffer.concat(pieces)
  }

  /** Where the moment of its start stands in its memory: what tells one server process from another. */
  async function startedAt(): Promise<readonly number[]> {
    const [row] = await session.queryOnce(`select ((extract(epoch from pg_postmaster_start_time()) - 946684800) * 1000000)::bigint::text as at`, [])
    return placesOf(module, BigInt(String(row?.at)))
  }

  const turn: Turn = (body) => {
    const answer = last.then(() => body(session))
    last = answer.catch(() => undefined)
    return answer
  }

  return {
    kind: 'pglite',
    open: async (world, owner, random) => openInTurns(world, turn, owner, random),
    ask: (text) => turn((one) => one.queryOnce(text, [])),
    look: (texts) => turn((one) => one.batch(texts.map((text) => ({ text, parameters: [] })))),
    // Microtasks run out before the first turn of the event loop is over; what was asked is always answered without time going on.
    rest: async () => {
      do await new Promise((resolve) => setImmediate(resolve))
      while (underWay > 0)
    },
    statements: () => asked,
    take: () =>
      turn(async (one) => {
        // What the session has prepared is of this moment, and the next session names its own.
        await one.queryOnce('deallocate all', [])
        session = newSession()
        return takeImage(module)
      }),
    putBack: (image, startedMs) =>
      turn(async () => {
        putBack(module, image)
        session = newSession()
        for (const at of started) wordsOf(module.HEAPU8)[at] = BigInt(Math.round((startedMs - epochMs) * 1_000))
      }),
    // Each server's own way to it refuses what writes.
    setReadOnly: async () => {},
    close: () => pglite.close(),
  }
}

/** PostgreSQL counts from the year 2000 on. */
const epochMs = Date.UTC(2000, 0, 1)
