import type { PendingMutation, Status } from '@headwater/client'
import { HeadwaterError, mutationId } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { describeMutation, describeStatus } from '../src/web/sync/describe.ts'
import { createWrites } from '../src/web/sync/writes.ts'

const live: Status = { online: true, phase: 'live', loading: null, pending: 0, setAside: 0, problem: null }

describe('sync in words', () => {
  test.each<[string, Partial<Status>, string, string]>([
    ['all is well', {}, 'calm', 'Synced'],
    ['something is on its way', { pending: 2 }, 'busy', 'Syncing 2'],
    ['a first load', { phase: 'loading' }, 'busy', 'Loading'],
    ['offline', { online: false, phase: 'connecting' }, 'waiting', 'Offline'],
    ['offline with work', { online: false, phase: 'connecting', pending: 3 }, 'waiting', 'Offline · 3'],
    ['refused work, which comes before all else', { online: false, phase: 'connecting', pending: 3, setAside: 1 }, 'refused', '1 refused'],
    ['a full disk', { problem: { code: 'disk-full', message: 'Full.', hint: 'Free some.' } }, 'refused', 'Not syncing'],
  ])('%s', (_, status, tone, short) => expect(describeStatus({ ...live, ...status })).toMatchObject({ tone, short }))

  test('a refused mutation is named by what it holds', () => {
    expect(describeMutation({ name: 'sendMessage', args: { content: 'Hello\nthere' } })).toBe('Send a message: “Hello”')
    expect(describeMutation({ name: 'projects.update', args: { row: { id: '1', title: 'New' } } })).toBe('Change a project: “New”')
    expect(describeMutation({ name: 'deleteFile', args: { id: '1' } })).toBe('Delete a file')
    expect(describeMutation({ name: 'later', args: null })).toBe('later')
  })
})

/** A promise and what settles it; Node 20 has no Promise.withResolvers. */
function settleable<T>() {
  let settle: { resolve: (value: T) => void; reject: (error: unknown) => void } | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: (value: T) => settle?.resolve(value), reject: (error: unknown) => settle?.reject(error) }
}

describe('writes', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve))
  function mutation() {
    const saved = settleable<void>()
    const confirmed = settleable<Awaited<PendingMutation['confirmed']>>()
    let state: ReturnType<PendingMutation['state']> = 'made'
    const pending: PendingMutation = {
      id: mutationId('1'),
      name: 'projects.update',
      args: null,
      at: '',
      state: () => state,
      saved: saved.promise,
      confirmed: confirmed.promise,
      discard: async () => {},
    }
    return {
      pending,
      save: () => {
        state = 'saved'
        saved.resolve(undefined)
      },
      refuse: (error: unknown) => saved.reject(error),
      confirm: () => confirmed.resolve({ type: 'applied' }),
    }
  }

  test('a write waits until the database has decided', async () => {
    const writes = createWrites()
    const { pending, save, confirm } = mutation()
    writes.track('Rename', pending)
    expect(writes.get().waiting).toMatchObject([{ label: 'Rename', state: 'made' }])
    save()
    await settled()
    expect(writes.get().waiting).toMatchObject([{ label: 'Rename', state: 'saved' }])
    confirm()
    await settled()
    expect(writes.get().waiting).toEqual([])
  })

  test('what the device refuses is said, and waits for nothing', async () => {
    const writes = createWrites()
    const { pending, refuse } = mutation()
    writes.track('Create a.ts', pending)
    refuse(new HeadwaterError('refused', 'There is a file a.ts already.'))
    await settled()
    expect(writes.get()).toEqual({ waiting: [], notices: [{ id: '1', title: 'Create a.ts', reason: 'There is a file a.ts already.' }] })
    writes.dismiss('1')
    expect(writes.get().notices).toEqual([])
  })
})
