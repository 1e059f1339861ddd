import { HeadwaterError } from '@headwater/protocol'
import { expect, test } from 'vitest'
import type { OpenedDatabase } from '../../harness/databases.ts'

export function guardContract(open: () => Promise<OpenedDatabase>): void {
  test('checks a session before anybody gets it, once; who asked hears what it rejects, and the next one tries again', async () => {
    const opened = await open()
    const { database } = opened
    try {
      await database.query('create table item (id bigint primary key)')
      const seen: unknown[] = []
      let isRefused = true
      database.guard(async (query) => {
        seen.push(...(await query('select count(*)::int as count from item where id < $1', [10])))
        if (isRefused) throw new HeadwaterError('held', 'not this one')
      })
      const ways = [
        () => database.query('insert into item values (1)'),
        () => database.execute('insert into item values (2)'),
        () => database.batch([{ text: 'insert into item values (3)', parameters: [] }]),
        () => database.transaction('write', ({ query }) => query('insert into item values (4)')),
        () => database.transaction('read', ({ query }) => query('select 1')),
      ]
      for (const way of ways) await expect(way()).rejects.toMatchObject({ code: 'held' })
      expect(seen).toEqual(ways.map(() => ({ count: 0 })))
      isRefused = false
      for (const way of ways) await way()
      expect(seen).toHaveLength(ways.length + 1)
      // Given again, it checks all anew, also a session that is in use meanwhile.
      let checks = 0
      await database.transaction('write', async ({ query }) => {
        database.guard(async () => void checks++)
        await query('select 1')
      })
      await database.query('select 1')
      await database.query('select 1')
      expect(checks).toBe(1)
      // The tail asks for itself.
      database.guard(() => Promise.reject(new HeadwaterError('held', 'not this one')))
      const tail = await database.openTail()
      expect(await tail.query('select count(*)::int as count from item')).toEqual([{ count: 4 }])
      await tail.close()
    } finally {
      await opened.close()
    }
  })
}
