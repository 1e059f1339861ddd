// What every implementation of the port Tabs promises.
import { expect, test } from 'vitest'
import type { Channel, Tabs } from '../../packages/client/src/ports.ts'
import { freshName } from './disk.ts'

/** `open` makes another tab. */
export function tabsContract(open: () => Promise<Tabs>): void {
  const never = () => {
    throw new Error('Nobody has stolen it.')
  }
  const openTwo = async () => ({ name: freshName(), one: await open(), two: await open() })

  test('one at a time has a lock, and who waits gets it when it is let go, in the order they asked', async () => {
    const { name, one, two } = await openTwo()
    const three = await open()
    const release = await one.lock(name, {}, never)
    expect(await two.lock(name, { ifAvailable: true }, never)).toBeNull()
    const order: string[] = []
    const second = two.lock(name, {}, never).then((free) => {
      order.push('two')
      return free
    })
    const third = three.lock(name, {}, never).then((free) => {
      order.push('three')
      return free
    })
    expect(await one.lock(name, { ifAvailable: true }, never)).toBeNull()
    expect(order).toEqual([])
    release?.()
    const free = await second
    expect(order).toEqual(['two'])
    free?.()
    free?.()
    const last = await third
    expect(order).toEqual(['two', 'three'])
    last?.()
    const again = await one.lock(name, { ifAvailable: true }, never)
    expect(again).not.toBeNull()
    again?.()
  })

  test('locks of other names are other locks', async () => {
    const { name, one, two } = await openTwo()
    const held = [await one.lock(name, { ifAvailable: true }, never), await two.lock(`${name} 2`, { ifAvailable: true }, never)]
    expect(held).not.toContain(null)
    for (const free of held) free?.()
  })

  test('F8: a stolen lock is had by the thief, who had it is told once, and what it lets go of is not the thief’s', async () => {
    const { name, one, two } = await openTwo()
    let losses = 0
    let tell = () => {}
    const lost = new Promise<void>((resolve) => {
      tell = resolve
    })
    const old = await one.lock(name, {}, () => {
      losses++
      tell()
    })
    const thief = await two.lock(name, { steal: true }, never)
    await lost
    old?.()
    expect(await one.lock(name, { ifAvailable: true }, never)).toBeNull()
    const next = one.lock(name, {}, never)
    thief?.()
    const free = await next
    expect([losses, free === null]).toEqual([1, false])
    free?.()
  })

  test('a free lock is stolen as well', async () => {
    const { name, one } = await openTwo()
    const free = await one.lock(name, { steal: true }, never)
    expect(free).not.toBeNull()
    free?.()
  })

  test('what one says others hear who have the name open, in order, and it does not itself', async () => {
    const { name, one, two } = await openTwo()
    const heard: string[] = []
    let tell = () => {}
    const isOver = new Promise<void>((resolve) => {
      tell = resolve
    })
    const said = one.open(name, () => heard.push('itself'))
    const other = two.open(`${name} 2`, () => heard.push('another name'))
    const listening: Channel = two.open(name, (message) => {
      heard.push(message)
      if (message === 'last é\u0000') tell()
    })
    for (let i = 0; i < 100; i++) said.postMessage(`${i}`)
    said.postMessage('last é\u0000')
    await isOver
    expect(heard).toEqual([...Array.from({ length: 100 }, (_, i) => `${i}`), 'last é\u0000'])
    for (const channel of [said, other, listening]) channel.close()
  })

  test('who closed hears nothing more', async () => {
    const { name, one, two } = await openTwo()
    const heard: string[] = []
    let tell = () => {}
    const isOver = new Promise<void>((resolve) => {
      tell = resolve
    })
    const said = one.open(name, () => {})
    const closed = two.open(name, (message) => heard.push(message))
    const open = two.open(name, () => tell())
    closed.close()
    said.postMessage('late')
    await isOver
    expect(heard).toEqual([])
    for (const channel of [said, open]) channel.close()
  })
}
