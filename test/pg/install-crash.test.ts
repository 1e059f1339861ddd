// F12: a process that is killed while it installs or upgrades. More trials: HEADWATER_TRIALS=30 npx vitest run --project pg test/pg/install-crash.test.ts
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, openEmbedded, openPostgres, uninstall } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chanceOf } from '../harness/chance.ts'
import { native } from '../harness/databases.ts'

const trials = Number(process.env.HEADWATER_TRIALS ?? 1)
const chance = chanceOf(Number(process.env.HEADWATER_SEED ?? 1))
const script = fileURLToPath(new URL('../harness/migrating.ts', import.meta.url))

describe.each(['embedded', 'native'])('F12 killed while installing on %s', (kind) => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-crash-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test(
    'and upgrading, it completes when it is run again, each file once',
    async () => {
      const killed = { install: 0, upgrade: 0 }
      for (let trial = 0; trial < trials; trial++) {
        const { target, open, close } = await place(kind, join(folder, `database-${trial}`))
        const files = join(folder, `files-${trial}`)
        await mkdir(files)
        const run = (version: number) => start([target, files, String(version)])
        killed.install += await killedIn(run(1), chance() * 400)
        expect(await outcomeOf(run(1))).toBe('done')
        await opened(open, (database) => database.query(`insert into notes select gen_random_uuid(), 'ada', 'one', 1 from generate_series(1, 500)`))
        await writeFile(
          join(files, '0001-more.sql'),
          `update notes set stars = stars + 1; alter table notes alter column stars type bigint; alter table notes alter column stars type integer`,
        )
        await writeFile(join(files, '0002-table.sql'), 'create table other (id int); insert into other values (1)')
        killed.upgrade += await killedIn(run(2), chance() * 400)
        expect(await outcomeOf(run(2))).toBe('done')
        await opened(open, async (database) => {
          expect(await database.query('select stars, colour, count(*)::int as n from notes group by 1, 2')).toEqual([{ stars: 2, colour: 'red', n: 500 }])
          expect(await database.query('select count(*)::int as n from other')).toEqual([{ n: 1 }])
          expect(await database.query(`select name, trouble from headwater.captures order by 1`)).toEqual([
            { name: 'notes', trouble: null },
            { name: 'tags', trouble: null },
          ])
          expect(await database.query('select count(*)::int as n from headwater.app_migrations')).toEqual([{ n: 2 }])
          expect(await database.query(`select count(distinct xid)::int as n from headwater.log where op = 'b'`)).toEqual([{ n: 1 }])
          await database.query(`insert into tags values (gen_random_uuid(), 'ada')`)
          expect(await database.query(`select count(*)::int as n from headwater.log where table_name = 'tags'`)).toEqual([{ n: 1 }])
          await uninstall(database)
          expect(await database.query('select count(*)::int as n from notes')).toEqual([{ n: 500 }])
        })
        await close()
      }
      process.stderr.write(`${kind}: killed in the middle of ${killed.install} installs and ${killed.upgrade} upgrades of ${trials}\n`)
    },
    60_000 + trials * 180_000,
  )
})

async function place(kind: string, directory: string): Promise<{ target: string; open: () => Promise<Database>; close: () => Promise<void> }> {
  if (kind === 'embedded') return { target: directory, open: () => openEmbedded({ directory }), close: () => rm(directory, { recursive: true }) }
  const given = await native.open()
  const target = given.url ?? ''
  return { target, open: () => openPostgres(target), close: given.close }
}

async function opened(open: () => Promise<Database>, run: (database: Database) => Promise<unknown>): Promise<void> {
  const database = await open()
  await run(database).finally(() => database.close())
}

const start = (args: readonly string[]) =>
  spawn(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

/** The last word of it. */
async function outcomeOf(child: ChildProcess): Promise<string> {
  let said = ''
  child.stdout?.on('data', (data) => {
    said += data
  })
  await new Promise((resolve) => child.on('close', resolve))
  return said.trim().split('\n').at(-1) ?? ''
}

/** 1 if it was killed before it was done. */
async function killedIn(child: ChildProcess, afterMs: number): Promise<number> {
  const outcome = outcomeOf(child)
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  child.kill('SIGKILL')
  return (await outcome) === 'done' ? 0 : 1
}
