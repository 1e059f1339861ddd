// Grants as devices feel them: what is lost goes at once, what is gained comes whole.
import type { ScopeKey } from '@headwater/protocol'
import { type Database, type Grants, grant, sql } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type WebSocket from 'ws'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import type { Clock } from '../../packages/server/src/ports.ts'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { connectWire, type WireDevice } from '../harness/wire-device.ts'

/** Who may see what is rows of one table that no device holds: typed in by SQL, as an app's own admin would. */
const passes = {
  user: sql`select person as "user", key, role, until from passes where kind = 'user'`,
  project: sql`select person as "user", key, role, until from passes where kind = 'project'`,
}
const uuid = () => crypto.randomUUID()

describe.each(databases)('scopes on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let troubles: unknown[]
  let closing: (() => Promise<unknown>)[]

  const serve = async (grants: Grants = passes, clock?: Clock) => {
    server = await startServer(database, { grants, onTrouble: (error) => troubles.push(error), ...(clock && { ports: { clock } }) })
    closing.unshift(() => server.close())
  }
  const wire = (user: string, more: Partial<Parameters<typeof connectWire>[0]> = {}) => connectWire({ url: server.url, user, keys, ...more })
  const device = async (user: string, disks = createMemoryDisks()): Promise<Device> => {
    const opened = openDevice({ url: server.url, user, disks })
    closing.unshift(() => opened.close())
    await untilLevel(opened)
    return opened
  }
  const pass = (person: string, scope: string, more = `'viewer', null`) => {
    const [kind, key] = scope.split(':')
    return `insert into passes values ('${kind}', '${person}', '${key}', ${more});`
  }
  const revoke = (person: string, scope: string) => `delete from passes where person = '${person}' and kind || ':' || key = '${scope}';`
  const project = (id: string, owner: string, title: string) => `insert into projects (id, owner_id, title) values ('${id}', '${owner}', '${title}');`
  const titles = (of: WireDevice) => of.rows('projects').map((row) => row.title)
  const shown = (of: Device) => of.query.projects.all().map((row) => row.title)
  const leftBy = (of: WireDevice, scope: string) =>
    of.messages.some((message) => message.type === 'checkpoint' && message.left.granted.includes(scope as ScopeKey))

  beforeEach(async () => {
    troubles = []
    closing = []
    const opened = await open()
    database = opened.database
    closing.push(() => opened.close())
    await database.execute('create table passes (kind text, person text, key text, role text, until timestamptz)')
  })
  afterEach(async () => {
    for (const close of closing) await close()
  })

  test('S2 revoking stops the stream within a second and takes the rows, and nothing of the scope is sent after', async () => {
    await serve()
    const id = uuid()
    await database.execute(`${project(id, 'ada', 'Open')}${pass('bob', `project:${id}`)}${pass('bob', 'user:bob')}`)
    const [bob, seen] = [await wire('bob'), await device('bob')]
    expect([titles(bob), shown(seen)]).toEqual([['Open'], ['Open']])
    // Somebody goes on writing while it is revoked.
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; isWriting; i++) await database.query('update projects set visits = $1::int', [i])
    })()
    const start = performance.now()
    await database.execute(revoke('bob', `project:${id}`))
    const secret = database.query(`update projects set title = 'Secret' where id = $1::text::uuid`, [id])
    await bob.until(() => leftBy(bob, `project:${id}`), 'the loss')
    // At once, and not when everybody's grants are looked at again; how fast is measured by a benchmark (grants).
    expect(performance.now() - start).toBeLessThan(10_000)
    await expect.poll(() => shown(seen)).toEqual([])
    const framesThen = bob.frames.length
    await secret
    await database.execute(project(uuid(), 'bob', 'Own'))
    await bob.until(() => titles(bob).includes('Own'), 'what is still granted')
    isWriting = false
    await writing
    expect(bob.frames.slice(framesThen).join('\n')).not.toContain(id)
    expect(bob.frames.join('\n')).not.toContain('Secret')
  })

  test('S2 a device that was away loses the rows on its return, unless another scope still grants them', async () => {
    await serve()
    const [lost, kept] = [uuid(), uuid()]
    await database.execute(project(lost, 'ada', 'Lost') + project(kept, 'ada', 'Kept'))
    await database.execute(pass('bob', `project:${lost}`) + pass('bob', `project:${kept}`))
    const disks = createMemoryDisks()
    const before = await device('bob', disks)
    expect(shown(before).sort()).toEqual(['Kept', 'Lost'])
    const wired = await wire('bob')
    wired.close()
    await before.close()
    await database.execute(`${revoke('bob', `project:${lost}`)}${project(uuid(), 'ada', 'Third')}`)
    const again = await device('bob', disks)
    expect(shown(again)).toEqual(['Kept'])
    const wiredAgain = await wire('bob', { id: wired.id, from: wired })
    expect(wiredAgain.frames.join('\n')).not.toContain(lost)
    // Two scopes grant the row, and one of them goes while the device is away.
    await database.execute(`${pass('bob', 'user:ada')}`)
    await expect.poll(() => shown(again).sort()).toEqual(['Kept', 'Lost', 'Third'])
    await again.close()
    await database.execute(revoke('bob', `project:${kept}`))
    expect(shown(await device('bob', disks)).sort()).toEqual(['Kept', 'Lost', 'Third'])
  })

  test('S3 a row moving between scopes leaves one and enters the other in one step', async () => {
    await serve()
    const id = uuid()
    await database.execute(project(id, 'ada', 'Moving') + pass('ada', 'user:ada') + pass('bob', 'user:bob') + pass('eve', 'user:ada') + pass('eve', 'user:bob'))
    const [ada, bob, eve] = [await wire('ada'), await wire('bob'), await device('eve')]
    const live = eve.query.projects.live()
    const counts: number[] = []
    live.subscribe(() => counts.push(live.result().rows.length))
    for (const [i, to] of ['bob', 'ada', 'bob', 'ada', 'bob'].entries()) {
      const [from, into] = to === 'bob' ? [ada, bob] : [bob, ada]
      await database.query(`update projects set owner_id = $2, visits = $3::int where id = $1::text::uuid`, [id, to, i + 1])
      await into.until(() => into.rows('projects').some((row) => row.visits === i + 1), 'the row where it went')
      await from.until(() => from.rows('projects').length === 0, 'its leaving')
      await expect.poll(() => eve.query.projects.all()[0]?.visits).toBe(i + 1)
    }
    // Who holds both never saw it missing, and who holds one learnt nothing of where it went.
    expect(new Set(counts)).toEqual(new Set([1]))
    expect(ada.frames.filter((frame) => frame.includes('"bob"'))).toEqual([])
    // The move and the loss of the scope that it came from, as one.
    await database.execute(`update projects set owner_id = 'ada' where id = '${id}'; ${revoke('eve', 'user:bob')}`)
    await expect.poll(async () => (await server.grantsOf('eve')).length).toBe(1)
    await ada.until(() => ada.rows('projects').length === 1, 'the row')
    expect([shown(eve), new Set(counts)]).toEqual([['Moving'], new Set([1])])
  })

  test('S4 granting during the first load leaves no hole and no duplicate', async () => {
    await serve()
    const [first, second] = [uuid(), uuid()]
    await database.execute(project(first, 'ada', 'First') + project(second, 'ada', 'Second'))
    for (const id of [first, second]) {
      await database.execute(
        `insert into messages (id, project_id, content, sequence) select gen_random_uuid(), '${id}', repeat('x', 200), i from generate_series(1, 3000) i`,
      )
    }
    for (let round = 0; round < 6; round++) {
      const person = `guest-${round}`
      await database.execute(pass(person, `project:${first}`))
      const loading = openDevice({ url: server.url, user: person })
      closing.unshift(() => loading.close())
      const holds = [first, second].map((id) => loading.scope('project', id))
      // At another moment of the load each time; rows of the scope are written before, with and after the grant.
      await new Promise((resolve) => setTimeout(resolve, round * 12))
      const write = (mark: string) => `update messages set content = '${mark} ${round}' where sequence = ${round + 1};`
      await database.execute(write('before'))
      await database.execute(write('with') + pass(person, `project:${second}`))
      await database.execute(`${write('after')}update projects set visits = ${round}, title = title || '${round}' where id = '${second}'`)
      const expected = await database.query(`select id::text as id, content from messages order by id`)
      const held = () =>
        loading.query.messages
          .all()
          .map(({ id, content }) => ({ id, content }))
          .sort((a, b) => (a.id < b.id ? -1 : 1))
      await expect.poll(() => held().length, { timeout: 10_000 }).toBe(6_000)
      await expect.poll(() => held().filter(({ content }) => content === `after ${round}`).length).toBe(2)
      expect(held()).toEqual(expected)
      await expect.poll(() => shown(loading).filter((title) => title.endsWith(`${round}`)).length).toBe(1)
      for (const hold of holds) hold.release()
      await loading.close()
    }
  })

  test('a grant and its revocation in one batch are nothing, and the other way round it is held throughout', async () => {
    await serve()
    const id = uuid()
    await database.execute(project(id, 'ada', 'Brief') + pass('bob', 'user:bob') + pass('eve', `project:${id}`))
    const [bob, eve] = [await wire('bob'), await wire('eve')]
    const framesThen = eve.frames.length
    await database.execute(`${pass('bob', `project:${id}`)}update projects set title = 'Briefly'; ${revoke('bob', `project:${id}`)}`)
    await database.execute(`${revoke('eve', `project:${id}`)}update projects set title = 'Still'; ${pass('eve', `project:${id}`, `'editor', null`)}`)
    await database.execute(project(uuid(), 'bob', 'Own'))
    await bob.until(() => titles(bob).includes('Own'), 'a later row')
    await eve.until(() => titles(eve).includes('Still'), 'the change')
    expect(bob.frames.join('\n')).not.toContain(id)
    expect(leftBy(eve, `project:${id}`)).toBe(false)
    expect(eve.frames.slice(framesThen).filter((frame) => frame.includes('"load"'))).toEqual([])
  })

  test('only those whom a change concerns are worked out again', async () => {
    await serve()
    await database.execute(['ada', 'bob', 'eve'].map((person) => pass(person, `user:${person}`)).join(''))
    const [ada, bob, eve] = [await wire('ada'), await wire('bob'), await wire('eve')]
    const { regranted } = await server.status()
    await database.execute(project(uuid(), 'ada', 'For bob') + pass('bob', 'user:ada'))
    await bob.until(() => titles(bob).includes('For bob'), 'what was granted')
    expect((await server.status()).regranted).toBe(regranted + 1)
    expect([ada, eve].map((other) => other.isClosed())).toEqual([false, false])
  })

  test('a grant that has an end is held until then by the clock of the database, and an end that is put off is put off', async () => {
    await serve()
    const [brief, longer, over] = [uuid(), uuid(), uuid()]
    await database.execute(project(brief, 'ada', 'Brief') + project(longer, 'ada', 'Longer') + project(over, 'ada', 'Over'))
    const inSeconds = (seconds: number) => `'viewer', clock_timestamp() + interval '${seconds} seconds'`
    await database.execute(
      pass('bob', `project:${brief}`, inSeconds(5)) + pass('bob', `project:${longer}`, inSeconds(5)) + pass('bob', `project:${over}`, inSeconds(-1)),
    )
    await database.execute(`insert into passes values ('user', 'bob', 'bob', 'viewer', 'infinity')`)
    const ends = await database.query('select (extract(epoch from min(until) - clock_timestamp()) * 1000)::float8 as ms from passes where until > now()')
    const start = performance.now()
    const [bob, seen] = [await wire('bob'), await device('bob')]
    expect(titles(bob).sort()).toEqual(['Brief', 'Longer'])
    await database.execute(`update passes set until = until + interval '1 hour' where key = '${longer}'`)
    await bob.until(() => leftBy(bob, `project:${brief}`), 'the end')
    const lateMs = performance.now() - start - Number(ends[0]?.ms)
    expect(lateMs).toBeGreaterThan(-5)
    expect(lateMs).toBeLessThan(10_000)
    await expect.poll(() => shown(seen)).toEqual(['Longer'])
    await database.execute(`update projects set title = 'Changed' where id = '${brief}'; update projects set title = 'Longer still' where id = '${longer}'`)
    await bob.until(() => titles(bob).includes('Longer still'), 'what is held still')
    expect(bob.frames.join('\n')).not.toContain('Changed')
    const numbers = [brief, longer].map((key) => bob.push('projects.update', { row: { id: key, visits: 9 } }))
    await bob.until(() => numbers.every((number) => bob.outcomes.has(number)), 'the outcomes')
    expect(numbers.map((number) => bob.outcomes.get(number))).toMatchObject([{ type: 'refused', code: 'absent' }, { type: 'applied' }])
    expect(troubles).toEqual([])
  })

  test('a grant that ends while it is loaded does not come with the load', async () => {
    // It ends when a sequence says so: nothing is written, so that the snapshot stays the same, and no clock decides what comes first.
    await database.execute(`create sequence ending;
      create function has_ended() returns boolean language sql as 'select is_called from ending'`)
    const ending = sql`select person as "user", key, role, case when has_ended() then now() - interval '1 second' else until end as until from passes where kind = 'project'`
    await serve({ ...passes, project: ending })
    const id = uuid()
    await database.execute(`insert into samples (id, owner_id, text) select gen_random_uuid(), 'bob', repeat('x', 2000) from generate_series(1, 12000)`)
    await database.execute(project(id, 'ada', 'Brief') + pass('bob', 'user:bob') + pass('bob', `project:${id}`, `'viewer', now() + interval '1 hour'`))
    // More than sockets buffer, and read on only when the grant has ended.
    let isLoaded = false
    const onSocket = (socket: WebSocket) => {
      socket.on('message', (data) => {
        const frame = String(data)
        if (isLoaded || !frame.startsWith('{"type":"load"') || !frame.includes('Brief')) return
        isLoaded = true
        socket.pause()
        database.query(`select nextval('ending')::text`).then(() => socket.resume())
      })
    }
    const bob = openDevice({ url: server.url, user: 'bob', onSocket })
    closing.unshift(() => bob.close())
    await untilLevel(bob)
    expect(bob.query.samples.all()).toHaveLength(12_000)
    expect([isLoaded, shown(bob)]).toEqual([true, []])
    expect(await server.grantsOf('bob')).toHaveLength(1)
  })

  test('a grant that ended while the device was away is gone on its return', async () => {
    await serve()
    const id = uuid()
    await database.execute(project(id, 'ada', 'Ends') + pass('bob', `project:${id}`, `'viewer', now() + interval '4 seconds'`) + pass('bob', 'user:bob'))
    const disks = createMemoryDisks()
    const before = await device('bob', disks)
    expect(shown(before)).toEqual(['Ends'])
    await before.close()
    await expect.poll(() => server.grantsOf('bob')).toHaveLength(1)
    expect(shown(await device('bob', disks))).toEqual([])
  })

  test('what a wrong `by` misses heals when it is the turn of the person, and is reported', async () => {
    const timers = createTurns()
    const by = { passes: { user: 'role' } }
    await serve({ user: passes.user, project: grant(passes.project, { by }) }, timers.clock)
    const [id, other] = [uuid(), uuid()]
    await database.execute(project(id, 'ada', 'Found') + project(other, 'ada', 'Lost') + pass('bob', `project:${other}`))
    const bob = await wire('bob')
    await database.execute(pass('bob', `project:${id}`) + revoke('bob', `project:${other}`))
    await database.execute(pass('bob', 'user:bob') + project(uuid(), 'bob', 'Own'))
    await bob.until(() => titles(bob).includes('Own'), 'what is told rightly')
    expect(titles(bob)).not.toContain('Found')
    expect(leftBy(bob, `project:${other}`)).toBe(false)
    timers.pass()
    await bob.until(() => titles(bob).includes('Found') && leftBy(bob, `project:${other}`), 'the healing')
    expect(troubles).toEqual([expect.objectContaining({ code: 'grants', message: expect.stringContaining('bob') })])
    timers.pass()
    await database.execute(`update projects set title = 'Found and followed' where id = '${id}'`)
    await bob.until(() => titles(bob).includes('Found and followed'), 'the rest')
    expect(troubles).toHaveLength(1)
  })

  test('working everybody out for long is reported once, with the kind', async () => {
    await serve({ ...passes, project: sql`select person as "user", key, role from passes cross join pg_sleep(0.25) as slow where kind = 'project'` })
    const id = uuid()
    await database.execute(project(id, 'ada', 'Slow'))
    const bob = await wire('bob')
    await database.execute(pass('bob', `project:${id}`))
    await bob.until(() => titles(bob).includes('Slow'), 'the row')
    await database.execute(pass('bob', `project:${uuid()}`) + pass('bob', `user:bob`) + project(uuid(), 'bob', 'Own'))
    await bob.until(() => titles(bob).includes('Own'), 'a later row')
    expect(troubles).toEqual([expect.objectContaining({ code: 'grants', message: expect.stringMatching(/kind project again took \d+ ms for 1 people/) })])
  })

  test('more scopes than a device can name are said to it and to the operator, at the greeting and later; with fewer it is level again', async () => {
    await serve({
      user: sql`select id as "user", id as key, 'owner' as role from people`,
      project: sql`select person as "user", key, role from passes where kind = 'project'`,
    })
    const problemOf = (of: Device) => expect.poll(() => of.status.get().problem, { timeout: 50_000 })
    const tooMany = { code: 'unavailable', message: expect.stringMatching(/^Granted to bob are 5001 scopes/), hint: expect.stringContaining('a team') }
    const bob = await device('bob')
    // In JSON, each of these names has 360 bytes.
    await database.execute(`insert into passes select 'project', 'bob', rpad(n::text, 180, '"'), 'viewer' from generate_series(1, 5000) n`)
    await problemOf(bob).toMatchObject(tooMany)
    expect(troubles).toContainEqual(expect.objectContaining({ code: 'scopes', message: tooMany.message }))
    // Once as it is granted, and once as it greets again.
    await expect.poll(() => troubles.length, { timeout: 50_000 }).toBeGreaterThan(1)
    const id = uuid()
    await database.execute(`delete from passes; ${pass('bob', `project:${id}`)} ${project(id, 'ada', 'Few')}`)
    await problemOf(bob).toBe(null)
    expect(shown(bob)).toEqual(['Few'])
  })

  test('who holds a scope, and what a person holds, is asked of the same relations', async () => {
    await serve()
    const [id, other] = [uuid(), uuid()]
    await database.execute(pass('eve', `project:${id}`, `'viewer', '2126-01-02 03:04:05.678901Z'`) + pass('bob', `project:${id}`, `'viewer', null`))
    await database.execute(
      pass('bob', `project:${id}`, `'editor', null`) + pass('bob', `project:${id}`, `'editor', null`) + pass('bob', `project:${other}`, `'past', now()`),
    )
    await database.execute(pass('bob', 'user:bob', `null, 'infinity'`))
    expect(await server.holders('project', id)).toEqual([
      { user: 'bob', kind: 'project', key: id, role: 'editor', until: null },
      { user: 'bob', kind: 'project', key: id, role: 'viewer', until: null },
      { user: 'eve', kind: 'project', key: id, role: 'viewer', until: '2126-01-02T03:04:05.678901Z' },
    ])
    expect(await server.grantsOf('bob')).toEqual([
      { user: 'bob', kind: 'project', key: id, role: 'editor', until: null },
      { user: 'bob', kind: 'project', key: id, role: 'viewer', until: null },
      { user: 'bob', kind: 'user', key: 'bob', role: '', until: null },
    ])
    expect(await server.holders('project', `'; drop table passes; --\0`)).toEqual([])
    await expect(server.holders('team', id)).rejects.toMatchObject({ code: 'grants', message: expect.stringContaining('team') })
  })
})

/** A clock whose long timers run when the test says so. */
function createTurns() {
  const waiting = new Set<() => void>()
  const clock: Clock = {
    now: () => Date.now(),
    timer: (afterMs, run) => {
      if (afterMs < 60_000) {
        const timer = setTimeout(run, afterMs)
        return () => clearTimeout(timer)
      }
      waiting.add(run)
      return () => waiting.delete(run)
    },
  }
  const pass = () => {
    const runs = [...waiting]
    waiting.clear()
    for (const run of runs) run()
  }
  return { clock, pass }
}
