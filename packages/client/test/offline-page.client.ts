import { createClient, lastScreen } from '@headwater/client'
import { mutators, schema } from './fixture.ts'

const user = 'ada'

export const client = createClient({ schema, mutators, url: '/', user, firstPaint: lastScreen() })
