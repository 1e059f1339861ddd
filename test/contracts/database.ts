// What every Database promises, as a suite. See packages/server/src/ports.ts.
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import type { Database } from '../../packages/server/src/ports.ts'
import type { DatabaseKind, OpenedDatabase } from '../harness/databases.ts'
import { batchesContract } from './database/batches.ts'
import { closingContract } from './database/closing.ts'
import { errorsContract } from './database/errors.ts'
import { guardContract } from './database/guard.ts'
import { streamsContract } from './database/streams.ts'
import { tailContract } from './database/tail.ts'
import { transactionsContract } from './database/transactions.ts'
import { valuesContract } from './database/values.ts'

/** Runs the suite on a kind of database. */
export function databaseContract({ name, open }: DatabaseKind): void {
  describe(name, () => {
    let opened: OpenedDatabase
    let database: Database
    const given = () => database

    beforeAll(async () => {
      opened = await open()
      database = opened.database
    })
    beforeEach(async () => {
      await database.execute('drop table if exists item; create table item (id bigint primary key, name text unique, size int check (size < 100))')
    })
    afterAll(() => opened.close())

    describe('values', () => valuesContract(given))
    describe('errors', () => errorsContract(given))
    describe('transactions', () => transactionsContract(given))
    describe('batches', () => batchesContract(given))
    describe('streams', () => streamsContract(given))
    describe('the tail', () => tailContract(given))
    describe('closing', () => closingContract(open))
    describe('a guard', () => guardContract(open))
  })
}
