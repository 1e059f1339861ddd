import { describe, expect, test } from 'vitest'
import { createMemoryTabs } from '../../packages/client/src/tabs/memory.ts'
import { tabsContract } from './tabs.ts'

describe('tabs in memory', () => {
  const tabs = createMemoryTabs()
  tabsContract(async () => tabs.open())

  test('F8: who is killed lets go of its lock, waits for none, and is heard of no more', async () => {
    const [one, two, three] = [tabs.open(), tabs.open(), tabs.open()]
    const heard: string[] = []
    three.open('killed', (message) => heard.push(message))
    const channel = two.open('killed', () => {})
    await one.lock('killed', {}, () => {})
    void two.lock('killed', {}, () => heard.push('lost'))
    const next = three.lock('killed', {}, () => {})
    two.kill()
    channel.postMessage('dead')
    one.kill()
    expect(await next).not.toBeNull()
    expect(heard).toEqual([])
  })

  test('F8: a frozen tab keeps its lock, and hears of all that happened when it wakes, in order', async () => {
    const frozen: (() => void)[] = []
    const [one, two] = [tabs.open((run) => frozen.push(run)), tabs.open()]
    const heard: string[] = []
    one.open('frozen', (message) => heard.push(message))
    void one.lock('frozen', {}, () => heard.push('lost')).then(() => heard.push('had'))
    expect(await two.lock('frozen', { ifAvailable: true }, () => {})).toBeNull()
    two.open('frozen', () => {}).postMessage('before')
    await two.lock('frozen', { steal: true }, () => {})
    expect(heard).toEqual([])
    for (const run of frozen) {
      run()
      await Promise.resolve()
    }
    expect(heard).toEqual(['had', 'before', 'lost'])
  })
})
