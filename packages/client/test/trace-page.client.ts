import { createClient, createTrace } from '@headwater/client'
import { mutators, schema } from './fixture.ts'

const user = 'ada'

const trace = createTrace({ print: console.debug })
const client = createClient({ schema, mutators, url: '/', user, ports: trace.ports() })

export { client, trace }
