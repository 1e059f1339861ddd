import { HeadwaterError } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { diskContract, sharedDiskContract } from './disk.ts'

const relaxed = { strict: false }

describe('the disk in memory', () => {
  diskContract(createMemoryDisks().open, { examples: 300 })
  sharedDiskContract(createMemoryDisks({ isShared: true }).open, { examples: 300 })

  test('W1: after a crash there is what was reported done, and of the rest as many whole appends from the first as the test says', async () => {
    for (const landed of [0, 1, 2, 3]) {
      const disks = createMemoryDisks()
      const disk = await disks.open('store')
      await disk.append(['done'], relaxed)
      disks.hold('store')
      const settled: string[] = []
      const waiting = [['a1', 'a2'], ['b'], ['c']].map((records) => disk.append(records, relaxed).finally(() => settled.push(...records)))
      await Promise.resolve()
      expect(disks.waiting('store')).toBe(3)
      disks.crash('store', landed)
      const again = await disks.open('store')
      expect(await again.read()).toEqual(['done', ...[['a1', 'a2'], ['b'], ['c']].slice(0, landed).flat()])
      // The dead process hears nothing, and changes nothing.
      void disk.append(['ghost'], relaxed)
      await disk.close()
      await again.append(['alive'], relaxed)
      expect(settled).toEqual([])
      expect(disks.records('store').slice(-1)).toEqual(['alive'])
      expect(disks.records('store')).not.toContain('ghost')
      expect(waiting.length).toBe(3)
    }
  })

  test('what is held lands in order when it is flushed', async () => {
    const disks = createMemoryDisks()
    const disk = await disks.open('store')
    disks.hold('store')
    const calls = [disk.append(['a'], relaxed), disk.append(['b'], relaxed), disk.replace(['s']), disk.append(['c'], relaxed)]
    await Promise.resolve()
    expect(disks.records('store')).toEqual([])
    disks.flush('store')
    await Promise.all(calls)
    expect(disks.records('store')).toEqual(['s', 'c'])
  })

  test('F7: an append after one that failed fails as well, also when the medium works again, until the disk is opened anew', async () => {
    const disks = createMemoryDisks()
    const disk = await disks.open('store')
    await disk.append(['a'], relaxed)
    disks.breakWith('store', new HeadwaterError('disk-full', 'There is no room.'))
    await expect(disk.append(['lost'], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    disks.breakWith('store', null)
    await expect(disk.append(['after the hole'], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    await disk.close()
    const again = await disks.open('store')
    await again.append(['b'], relaxed)
    expect(disks.records('store')).toEqual(['a', 'b'])
  })

  test('F7: a replacement that failed leaves everything as it was, and appends go on', async () => {
    const disks = createMemoryDisks()
    const disk = await disks.open('store')
    await disk.append(['a', 'b'], relaxed)
    disks.breakWith('store', new HeadwaterError('disk-full', 'There is no room.'))
    await expect(disk.replace(['snapshot'])).rejects.toMatchObject({ code: 'disk-full' })
    disks.breakWith('store', null)
    await disk.append(['c'], relaxed)
    expect(disks.records('store')).toEqual(['a', 'b', 'c'])
  })

  test('a name that is open cannot be opened again', async () => {
    const disks = createMemoryDisks()
    const disk = await disks.open('store')
    await expect(disks.open('store')).rejects.toMatchObject({ code: 'disk-blocked' })
    await disk.close()
    await disks.open('store')
  })
})
