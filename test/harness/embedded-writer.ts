// A process that holds an embedded database and commits rows until it is killed; each line is the number of rows acknowledged.
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'

const database = await openEmbedded({ directory: process.argv[2] ?? '' })
await database.execute('create table if not exists item (id int primary key)')
for (let id = 1; ; id++) {
  await database.query('insert into item values ($1::int)', [id])
  process.stdout.write(`${id}\n`)
}
