// A device in a process of its own, which trusts the certificate that NODE_EXTRA_CA_CERTS names. It is told URL, person, a project to make, and by which road. It makes
// the project, and says the titles of those that it holds whenever they are others, as one line of JSON each. It ends when its input does.
import { createClient } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import WebSocket from 'ws'
import { openPlainWith } from '../../packages/client/src/plain.ts'
import { mutators, schema } from './app.ts'

const [url = '', user = '', id = '', road = ''] = process.argv.slice(2)
const headers = { 'x-user': user, origin: url }
class PersonSocket extends WebSocket {
  constructor(address: string) {
    super(address, { headers })
  }
}
const asPerson: typeof fetch = (input, init) => fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } })
const ports = { ...nodePorts({ directory: '', WebSocket: PersonSocket, fetch: asPerson }), openDisk: createMemoryDisks().open }
const openSocket = road === 'plain' ? openPlainWith(asPerson, ports.clock) : ports.openSocket

const client = createClient({ schema, mutators, url, user, ports: { ...ports, openSocket } })
const live = client.query.projects.orderBy('title').live()
live.subscribe(() => process.stdout.write(`${JSON.stringify(live.result().rows.map(({ title }) => title))}\n`))
await client.mutate.createProject({ id, title: `By ${road}`, lines: [] }).confirmed
process.stdin.resume().on('end', () => void client.close().then(() => process.exit(0)))
