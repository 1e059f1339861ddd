import { type DeviceId, scopeKey, type UserId } from '@headwater/protocol'
import { expect, test } from 'vitest'
import type { ColumnSet } from '../src/feed/columns.ts'
import { type StreamKey, streamKey } from '../src/feed/stream.ts'
import { createHub, type Member } from '../src/scopes/hub.ts'

// Ids, and a set of columns, that nothing looks into.
const memberOf = (name: string): Member => ({ device: name as DeviceId, user: 'ada' as UserId, held: new Map() })
const all = {} as ColumnSet
const stream: StreamKey = streamKey('eager', scopeKey('user', 'ada'))

test('a member whose connection ended while its scopes were loaded is not listened to, and not kept, when they have come', () => {
  const hub = createHub<Member>()
  const [gone, there] = [memberOf('gone'), memberOf('there')]
  hub.add(gone)
  hub.remove(gone)
  hub.listen(gone, new Map([[stream, all]]))
  expect([[...hub.streams()], [...gone.held], [...hub.members()]]).toEqual([[], [], []])
  hub.add(there)
  hub.listen(there, new Map([[stream, all]]))
  expect([[...hub.streams()], [...hub.members()]]).toEqual([[stream], [there]])
})
