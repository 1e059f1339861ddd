// A process that holds a database in a directory and commits rows until it is killed; each line is the number of rows acknowledged.
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { openNative } from '../../packages/server/src/database/native/native.ts'

const [kind, directory = ''] = process.argv.slice(2)
const database = kind === 'native' ? await openNative({ directory }) : await openEmbedded({ directory })
await database.execute('create table if not exists item (id int primary key)')
const [last] = await database.query('select coalesce(max(id), 0) as id from item')
let id = Number(last?.id)
for (;;) {
  try {
    // A commit whose answer was lost with the connection is asked for again.
    await database.query('insert into item values ($1::int) on conflict do nothing', [id + 1])
    process.stdout.write(`${++id}\n`)
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
