import { createMemoryDisks } from '@headwater/client/node'
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { openDevice, untilLevel } from '../harness/device.ts'

const uuid = () => crypto.randomUUID()

describe.each(databases)('a barrier on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())

  /** Changes rows where no trigger sees it, and says so in the log. */
  const unseen = (table: string, script: string) =>
    database.execute(`
      alter table ${table} disable trigger user; ${script}; alter table ${table} enable always trigger "0_headwater_rows";
      alter table ${table} enable always trigger "0_headwater_truncate"; alter table ${table} enable always trigger "9_headwater_wake";
      insert into headwater.log (table_name, op) values ('${table}', 'b'); select headwater.wake();`)

  test('R7 who holds rows of the table loads them again, online or away, and what else is held goes on', async () => {
    const [own, other] = [uuid(), uuid()]
    await database.query(`insert into projects (id, owner_id, title) values ($1::text::uuid, 'ada', 'Before'), ($2::text::uuid, 'bob', 'Before')`, [own, other])
    const disks = createMemoryDisks()
    const [online, away, bob] = [
      openDevice({ url: server.url, user: 'ada' }),
      openDevice({ url: server.url, user: 'ada', disks }),
      openDevice({ url: server.url, user: 'bob' }),
    ]
    await Promise.all([online, away, bob].map(untilLevel))
    await away.close()
    await database.query(`insert into samples (id, owner_id, text) values (gen_random_uuid(), 'ada', 'meanwhile')`)
    await unseen('projects', `update projects set title = 'After'`)
    await database.query(`insert into samples (id, owner_id, text) values (gen_random_uuid(), 'ada', 'later')`)
    const titles = (device: typeof online) => device.query.projects.all().map(({ title }) => title)
    await expect.poll(() => titles(online), { timeout: 10_000 }).toEqual(['After'])
    await expect.poll(() => titles(bob), { timeout: 10_000 }).toEqual(['After'])
    const back = openDevice({ url: server.url, user: 'ada', disks })
    await untilLevel(back)
    expect(titles(back)).toEqual(['After'])
    for (const device of [online, back]) {
      await expect
        .poll(
          () =>
            device.query.samples
              .all()
              .map(({ text }) => text)
              .sort(),
          { timeout: 10_000 },
        )
        .toEqual(['later', 'meanwhile'])
      await device.close()
    }
    await bob.close()
  })

  test('a table that was emptied besides, and rows that came by another way, are as SQL has them', async () => {
    await database.query(`delete from projects`)
    const [kept, held] = [uuid(), uuid()]
    await database.query(`insert into projects (id, owner_id, title) values ($1::text::uuid, 'ada', 'Kept'), ($2::text::uuid, 'ada', 'Held')`, [kept, held])
    await database.query(`insert into messages (id, project_id, content, sequence) values (gen_random_uuid(), $1::text::uuid, 'old', 1)`, [held])
    const disks = createMemoryDisks()
    const away = openDevice({ url: server.url, user: 'ada', disks })
    await away.scope('project', held).ready
    await untilLevel(away)
    await away.close()
    await database.execute('truncate messages')
    await database.query(`insert into messages (id, project_id, content, sequence) values (gen_random_uuid(), $1::text::uuid, 'new', 2)`, [held])
    await unseen('projects', `delete from projects where title = 'Kept'; update projects set title = 'Seen by nobody'`)
    const back = openDevice({ url: server.url, user: 'ada', disks })
    await back.scope('project', held).ready
    await untilLevel(back)
    expect(back.query.projects.all().map(({ title }) => title)).toEqual(['Seen by nobody'])
    await expect.poll(() => back.query.messages.all().map(({ content }) => content), { timeout: 15_000 }).toEqual(['new'])
    await back.close()
  })
})
