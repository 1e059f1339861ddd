// What a page does about a new version of itself. The browser's side is a stand-in here; with a real one it is in test/e2e/codecraft.test.ts.
import { expect, test } from 'vitest'
import { createUpdates } from '../src/web/shell/updates.ts'

class Worker extends EventTarget {
  readonly said: unknown[] = []
  postMessage(message: unknown): void {
    this.said.push(message)
  }
}

/** A browser's container with one registration, and what the test does to it. */
function setUp({ hasOne }: { readonly hasOne: boolean }) {
  const registration = Object.assign(new EventTarget(), { installing: null as Worker | null, waiting: null as Worker | null, update: async () => {} })
  const container = Object.assign(new EventTarget(), { controller: hasOne ? new Worker() : null, register: async () => registration })
  let reloads = 0
  // As much of the browser's as is used, which the types of the whole cannot say.
  const updates = createUpdates({ container: container as unknown as ServiceWorkerContainer, reload: () => reloads++ })
  const settled = () => new Promise((resolve) => setTimeout(resolve))
  return {
    updates,
    settled,
    reloads: () => reloads,
    arrives: async () => {
      await settled()
      const worker = new Worker()
      registration.installing = worker
      registration.dispatchEvent(new Event('updatefound'))
      registration.installing = null
      registration.waiting = worker
      worker.dispatchEvent(new Event('statechange'))
      return worker
    },
    takesOver: () => container.dispatchEvent(new Event('controllerchange')),
  }
}

test('a new version is said, and taken over when the person wants it', async () => {
  const { updates, arrives, takesOver, reloads } = setUp({ hasOne: true })
  const worker = await arrives()
  expect(updates.get()).toBe('ready')
  updates.take()
  expect([worker.said, reloads()]).toEqual([['take-over'], 0])
  takesOver()
  expect(reloads()).toBe(1)
})

test('one that another tab took over is said, and loads nothing anew by itself', async () => {
  const { updates, takesOver, reloads, settled } = setUp({ hasOne: true })
  await settled()
  takesOver()
  expect([updates.get(), reloads()]).toEqual(['elsewhere', 0])
  updates.take()
  expect(reloads()).toBe(1)
})

test('the first of a page is no new version', async () => {
  const { updates, takesOver, arrives, reloads } = setUp({ hasOne: false })
  await arrives()
  takesOver()
  expect([updates.get(), reloads()]).toEqual(['none', 0])
})

test('a browser without service workers, or one that refuses them, has the app as it is', async () => {
  const none = createUpdates({ container: undefined, reload: () => {} })
  await none.look()
  const refusing = Object.assign(new EventTarget(), { controller: null, register: () => Promise.reject(new Error('not here')) })
  // As above.
  const refused = createUpdates({ container: refusing as unknown as ServiceWorkerContainer, reload: () => {} })
  await refused.look()
  expect([none.get(), refused.get()]).toEqual(['none', 'none'])
})
