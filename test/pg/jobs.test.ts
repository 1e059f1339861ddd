// Work after commit: enqueued in the mutation's transaction, carried out at least once, by whichever server is there.
import { spawn } from 'node:child_process'
import { randomUUID as uuid } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { HeadwaterError, type Json } from '@headwater/protocol'
import { refuse } from '@headwater/schema'
import type { Database, JobContext, JobHandlers, JobLimits, ServerOptions } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keys, type mutators, type schema, startServer, type TestServer } from '../harness/app.ts'
import { databases, type OpenedDatabase } from '../harness/databases.ts'
import { connectWire } from '../harness/wire-device.ts'

interface Call extends Omit<JobContext, 'database'> {
  readonly payload: Json
  readonly at: number
}

describe.each(databases)('jobs on $name', ({ name: kind, open }) => {
  let opened: OpenedDatabase
  let database: Database
  let troubles: unknown[]
  let calls: Call[]
  const servers = new Set<TestServer>()

  beforeEach(async () => {
    opened = await open()
    // Servers come and go on it; a server closes the database that it was given.
    database = { ...opened.database, close: async () => {} }
    troubles = []
    calls = []
  })
  afterEach(async () => {
    for (const server of servers) await server.close()
    servers.clear()
    await opened.close()
  })

  const quick: Partial<JobLimits> = { retryMsMin: 10, retryMsMax: 20 }

  /** A server whose form of createProject enqueues a job, with the project's title as its payload. */
  async function start(jobs: JobHandlers, over: Partial<ServerOptions<typeof schema, typeof mutators>> = {}): Promise<TestServer> {
    const server = await startServer(database, {
      jobs,
      jobLimits: quick,
      onTrouble: (error) => troubles.push(error),
      serverMutators: {
        createProject: async (tx, { id, title }) => {
          await tx.projects.insert({ id, ownerId: tx.user, title })
          const [word, value] = title.split(' ')
          await tx.after('record', title, word === 'delay' ? { delayMs: Number(value) } : word === 'at' && value ? { at: value } : {})
          if (word === 'refuse') refuse('language', 'Not so.')
        },
      },
      ...over,
    })
    servers.add(server)
    return server
  }

  async function stop(server: TestServer): Promise<void> {
    servers.delete(server)
    await server.close()
  }

  const record = async (payload: Json, { key, attempt, signal }: JobContext) => {
    calls.push({ payload, key, attempt, signal, at: Date.now() })
  }

  async function create(server: TestServer, title: string): Promise<unknown> {
    const device = await connectWire({ url: server.url, user: 'ada', keys })
    const number = device.push('createProject', { id: uuid(), title, lines: [] })
    await device.until(() => device.outcomes.has(number), 'the outcome')
    device.close()
    return device.outcomes.get(number)
  }

  const until = (holds: () => boolean | Promise<boolean>, timeout = 30_000) => expect.poll(holds, { timeout, interval: 5 }).toBe(true)
  const isEmpty = async (server: TestServer) => (await server.jobs.list()).length === 0
  const enqueue = (name: string, count = 1) =>
    database.query(`insert into headwater.jobs (name, payload) select $1, to_json(n)::jsonb from generate_series(1, $2::int) n`, [name, count])

  test('a job runs once its mutation has committed, with what the mutation wrote to be seen, and is gone when it is done', async () => {
    const seen: unknown[] = []
    const server = await start({
      record: async (payload, context) => {
        seen.push(...(await context.database.query('select title from projects')))
        await record(payload, context)
      },
    })
    expect(await create(server, 'Mill')).toMatchObject({ type: 'applied' })
    await until(() => isEmpty(server))
    expect(calls).toMatchObject([{ payload: 'Mill', attempt: 1, key: expect.stringMatching(/^[0-9a-f-]{36}$/) }])
    expect(seen).toEqual([{ title: 'Mill' }])
  })

  test('a refused mutation enqueues nothing', async () => {
    const server = await start({ record })
    expect(await create(server, 'refuse this')).toMatchObject({ type: 'refused', code: 'language' })
    await create(server, 'kept')
    await until(() => isEmpty(server))
    expect(calls.map(({ payload }) => payload)).toEqual(['kept'])
  })

  test('what cannot be kept is refused with its mutation', async () => {
    const server = await start({ record })
    expect(await create(server, 'delay -1')).toMatchObject({ type: 'refused', code: 'invalid', reason: expect.stringContaining('-1') })
    expect(await create(server, 'at noon')).toMatchObject({ type: 'refused', code: 'invalid', reason: expect.stringContaining('noon') })
    expect(await isEmpty(server)).toBe(true)
  })

  test('a job runs after its delay and at its time, not before', async () => {
    const server = await start({ record })
    const begun = Date.now()
    await create(server, 'delay 600')
    await create(server, `at ${new Date(begun + 300).toISOString()}`)
    await create(server, 'at 2999-01-01T00:00:00Z')
    await until(async () => (await server.jobs.list()).length === 1)
    const ranAfter = (word: string) => (calls.find(({ payload }) => String(payload).startsWith(word))?.at ?? 0) - begun
    expect(ranAfter('delay')).toBeGreaterThanOrEqual(600)
    expect(ranAfter('at')).toBeGreaterThanOrEqual(300)
    expect(await server.jobs.list()).toMatchObject([{ payload: 'at 2999-01-01T00:00:00Z', due: '2999-01-01T00:00:00.000000Z', attempts: 0, setAsideAt: null }])
  })

  test('a failed try is tried again with the same key; after so many it is set aside, seen, retried and discarded', async () => {
    let isBroken = true
    const server = await start(
      {
        record: async (payload, context) => {
          await record(payload, context)
          if (isBroken) throw new Error('no mail today')
        },
      },
      { jobLimits: { ...quick, triesMax: 3 } },
    )
    await create(server, 'letter')
    await until(async () => (await server.status()).jobs.setAside === 1)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
    expect(troubles).toEqual([expect.objectContaining({ code: 'job', message: expect.stringContaining('no mail today') })])
    const [job] = await server.jobs.list({ setAside: true })
    expect(job).toMatchObject({ name: 'record', payload: 'letter', attempts: 3, error: 'no mail today', setAsideAt: expect.any(String) })
    expect(await server.jobs.list({ setAside: false })).toEqual([])
    isBroken = false
    expect(await server.jobs.retry(job?.id ?? '')).toBe(true)
    await until(() => isEmpty(server))
    expect(calls.at(-1)).toMatchObject({ attempt: 1, key: job?.key })
    expect(await server.jobs.retry(job?.id ?? '')).toBe(false)

    await enqueue('nobody')
    const [waiting] = await server.jobs.list()
    expect(await server.jobs.discard(waiting?.id ?? '')).toBe(true)
    expect(await server.jobs.discard(waiting?.id ?? '')).toBe(false)
    expect(await server.jobs.discard("1' or true")).toBe(false)
  })

  test('a handler that refuses is not asked again', async () => {
    const server = await start({ record: async () => refuse('address', 'There is no such address.') })
    await create(server, 'letter')
    await until(async () => (await server.status()).jobs.setAside === 1)
    expect(await server.jobs.list()).toMatchObject([{ attempts: 1, error: 'There is no such address.' }])
  })

  test('a try that takes too long is told so and counts as failed, whether or not it listens', async () => {
    const server = await start(
      {
        record: async (payload, context) => {
          await record(payload, context)
          if (context.attempt === 1) await new Promise(() => {})
        },
      },
      { jobLimits: { ...quick, timeoutMs: 100 } },
    )
    await create(server, 'slow')
    await until(() => isEmpty(server))
    expect(calls.map(({ attempt, signal }) => [attempt, signal.aborted])).toEqual([
      [1, true],
      [2, false],
    ])
  })

  // Another process cannot open an embedded database in memory.
  test.runIf(kind !== 'embedded')('F1 a server killed between the handler and the end of its job: another one does it again, with the same key', async () => {
    await database.execute('create table tries (key text, attempt int)')
    const script = fileURLToPath(new URL('../harness/job-server.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', script, opened.url ?? ''], { stdio: 'inherit' })
    const ended = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))
    await until(async () => (await database.query(`select to_regclass('headwater.jobs') is not null as there`))[0]?.there === true)
    await enqueue('record')
    expect(await ended).toBe('SIGKILL')
    const server = await start({ record })
    await until(() => isEmpty(server))
    const tries = await database.query('select key, attempt from tries')
    expect(tries).toEqual([{ key: calls[0]?.key, attempt: 1 }])
    expect(calls.map(({ attempt }) => attempt)).toEqual([2])
  })

  test('a claim that is never finished comes due by itself', async () => {
    const server = await start({ record }, { jobLimits: { ...quick, timeoutMs: 100 } })
    // As long a lease as a dead server's claim has left.
    await database.query(`insert into headwater.jobs (name, payload, attempts, due) values ('record', '"left"', 1, now() + interval '300 milliseconds')`)
    await until(() => isEmpty(server))
    expect(calls).toMatchObject([{ payload: 'left', attempt: 2 }])
  })

  test('a job that took its process down every time is set aside', async () => {
    const server = await start({ record }, { jobLimits: { ...quick, triesMax: 2 } })
    await database.query(`insert into headwater.jobs (name, payload, attempts) values ('record', '"bomb"', 2)`)
    await until(async () => (await server.status()).jobs.setAside === 1)
    expect(calls).toEqual([])
  })

  test('a job without a handler waits and is reported once; a server that has one carries it out', async () => {
    const old = await start({})
    await create(old, 'early')
    await until(async () => (await old.status()).unknownJobs.includes('record'))
    await create(old, 'early too')
    expect(await old.status()).toMatchObject({ jobs: { waiting: 2, setAside: 0, oldestDue: expect.any(String) } })
    expect(troubles.map((error) => error instanceof HeadwaterError && error.code)).toEqual(['unknown-job'])
    await stop(old)
    const server = await start({ record })
    await until(() => isEmpty(server))
    expect(calls.map(({ payload }) => payload).sort()).toEqual(['early', 'early too'])
  })

  test('a stop waits for what is under way', async () => {
    let isDone = false
    const server = await start({
      record: async (payload, context) => {
        await record(payload, context)
        await new Promise((resolve) => setTimeout(resolve, 300))
        isDone = true
      },
    })
    await create(server, 'slow')
    await until(() => calls.length === 1)
    await stop(server)
    expect(isDone).toBe(true)
    const rows = await database.query('select count(*)::int as n from headwater.jobs')
    expect(rows).toEqual([{ n: 0 }])
  })

  test('10,000 jobs, each carried out once', { timeout: 240_000 }, async () => {
    const done = new Map<Json, number>()
    const server = await start({
      count: async (payload) => {
        done.set(payload, (done.get(payload) ?? 0) + 1)
      },
    })
    await enqueue('count', 10_000)
    await until(() => isEmpty(server), 200_000)
    expect([done.size, [...done.values()].every((times) => times === 1)]).toEqual([10_000, true])
  })

  test('two servers share the work, and each job is carried out once', async () => {
    const done: string[] = []
    const by = (name: string) => ({
      count: async (payload: Json) => {
        done.push(`${name} ${payload}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
      },
    })
    const first = await start(by('first'))
    await start(by('second'))
    await enqueue('count', 500)
    await until(() => isEmpty(first))
    expect(new Set(done.map((one) => one.split(' ')[1])).size).toBe(500)
    expect(done.length).toBe(500)
    expect(new Set(done.map((one) => one.split(' ')[0]))).toEqual(new Set(['first', 'second']))
  })
})
