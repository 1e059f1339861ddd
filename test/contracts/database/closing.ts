import { expect, test } from 'vitest'
import type { OpenedDatabase } from '../../harness/databases.ts'
import { pause } from './given.ts'

export function closingContract(open: () => Promise<OpenedDatabase>): void {
  test('closing waits for what is under way, then everything is refused', async () => {
    const { database, close } = await open()
    await database.execute('create table item (id int)')
    const writing = database.transaction('write', async (transaction) => {
      await transaction.query('insert into item values (1)')
      await pause(30)
      return transaction.query('select id from item')
    })
    await pause(5)
    const closing = database.close()
    expect(await writing).toEqual([{ id: 1 }])
    await closing
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'closed' })
    await expect(database.batch([])).rejects.toMatchObject({ code: 'closed' })
    await close()
  })
}
