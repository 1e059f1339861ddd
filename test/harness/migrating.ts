// Migrates a database in a process of its own, to be killed in the middle: DATABASE FOLDER VERSION, where the database is a URL or a directory.
import { defineSchema, holdersMayWrite, integer, type Schema, table, text, uuid } from '@headwater/schema'
import { migrate, openEmbedded, openPostgres, sql } from '@headwater/server'

const notes = { id: uuid().primaryKey(), ownerId: text(), title: text(), stars: integer() }
const versions: readonly Schema[] = [
  defineSchema({ notes: table(notes).in('user', 'ownerId') }),
  defineSchema({
    notes: table({ ...notes, colour: text().default('red') }).in('user', 'ownerId'),
    tags: table({ id: uuid().primaryKey(), ownerId: text() }).in('user', 'ownerId'),
  }),
]

const [target = '', folder = '', version = '1'] = process.argv.slice(2)
const schema = versions[Number(version) - 1]
if (schema === undefined) throw new Error(`There is no version ${version}.`)
const database = target.startsWith('postgres:') ? await openPostgres(target) : await openEmbedded({ directory: target })
process.stdout.write('ready\n')
const grants = { user: sql`select 'ada' as "user", 'ada' as key, 'self' as role` }
await migrate(database, { schema, access: holdersMayWrite(schema), grants }, { folder, mayDestroy: true })
process.stdout.write('done\n')
await database.close()
