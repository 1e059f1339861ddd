// The suite that every disk passes: what `Disk` in packages/client/src/ports.ts promises, through nothing but that interface.
import { HeadwaterError } from '@headwater/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Disk, DiskRecord, OpenDisk } from '../../packages/client/src/ports.ts'

let names = 0
/** A disk that nobody has used, in any run on this machine. */
export const freshName = () => `contract-${process.pid}-${++names}`

const relaxed = { strict: false }
const strict = { strict: true }
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `record ${from + i}`)

/** `examples`: how many random histories to try, as many as the disk is fast enough for. */
export function diskContract(open: OpenDisk, options: { readonly examples: number }): void {
  const reopened = async (disk: Disk, name: string) => {
    await disk.close()
    const again = await open(name)
    const records = await again.read()
    await again.close()
    return records
  }
  const fresh = async () => {
    const name = freshName()
    const disk = await open(name)
    expect(await disk.read()).toEqual([])
    return { name, disk }
  }

  test('W1: what was appended is there after a restart, in order', async () => {
    const { name, disk } = await fresh()
    await disk.append(['a', 'b'], strict)
    await disk.append(['c'], relaxed)
    expect(await reopened(disk, name)).toEqual(['a', 'b', 'c'])
  })

  test('W3: appends that nobody awaited take effect in the order of the calls', async () => {
    const { name, disk } = await fresh()
    await Promise.all(numbered(0, 200).map((record, i) => disk.append([record, `${record}, second`], { strict: i % 7 === 0 })))
    expect(await reopened(disk, name)).toEqual(numbered(0, 200).flatMap((record) => [record, `${record}, second`]))
  })

  test('a record comes back to the letter, whatever the text', async () => {
    const { name, disk } = await fresh()
    const records = ['', ' ', '\0', 'a\0b', '\u{1f600}é漢', '\ud800', 'x\udfff\ud800y', '\ufeff\uffff', '{"__proto__":1}', '\r\n\t\u2028', 'é'.repeat(70_000)]
    await disk.append(records, relaxed)
    expect(await reopened(disk, name)).toEqual(records)
  })

  test('an append of nothing changes nothing', async () => {
    const { name, disk } = await fresh()
    await disk.append([], strict)
    await disk.append(['a'], relaxed)
    await disk.append([], relaxed)
    expect(await reopened(disk, name)).toEqual(['a'])
  })

  test('records of 5 MB come back', async () => {
    const { name, disk } = await fresh()
    const large = 'large é '.repeat(600_000)
    await disk.append([large, 'between', large], relaxed)
    const records = await reopened(disk, name)
    expect(records.map((record) => record.length)).toEqual([large.length, 7, large.length])
    expect(records[0] === large && records[2] === large).toBe(true)
  })

  test('ten thousand records come back in order', async () => {
    const { name, disk } = await fresh()
    for (let i = 0; i < 10_000; i += 250) void disk.append(numbered(i, i + 250), relaxed)
    expect(await reopened(disk, name)).toEqual(numbered(0, 10_000))
  })

  test('a replacement takes the place of the first records, and what was appended since stays behind it', async () => {
    const { name, disk } = await fresh()
    await disk.append(numbered(0, 5), relaxed)
    await disk.replace(3, ['snapshot'])
    await disk.append(['after'], relaxed)
    expect(await reopened(disk, name)).toEqual(['snapshot', 'record 3', 'record 4', 'after'])
  })

  test('a later replacement counts what the earlier one put there, within this opening and the next', async () => {
    const { name, disk } = await fresh()
    await disk.append(numbered(0, 4), relaxed)
    await disk.replace(4, ['s1', 's2', 's3', 's4', 's5', 's6'])
    await disk.append(['tail'], relaxed)
    await disk.replace(6, ['t1'])
    await disk.close()
    const again = await open(name)
    expect(await again.read()).toEqual(['t1', 'tail'])
    await again.replace(1, ['u1', 'u2'])
    await again.append(['last'], relaxed)
    expect(await reopened(again, name)).toEqual(['u1', 'u2', 'tail', 'last'])
  })

  test('a replacement may bring nothing, or take nothing away', async () => {
    const { name, disk } = await fresh()
    await disk.append(['a', 'b'], relaxed)
    await disk.replace(0, ['before'])
    await disk.replace(3, [])
    await disk.append(['c'], relaxed)
    await disk.replace(0, ['b'])
    expect(await reopened(disk, name)).toEqual(['b', 'c'])
  })

  test('replacing while appending loses and moves nothing', async () => {
    const { name, disk } = await fresh()
    const calls = numbered(0, 50).map((record) => disk.append([record], relaxed))
    calls.push(disk.replace(20, ['snapshot of 20']))
    for (const record of numbered(50, 100)) calls.push(disk.append([record], relaxed))
    calls.push(disk.replace(31, ['snapshot of 50']))
    await Promise.all(calls)
    expect(await reopened(disk, name)).toEqual(['snapshot of 50', ...numbered(50, 100)])
  })

  test('S7: after a wipe nothing is left, and the disk can be used again', async () => {
    const { name, disk } = await fresh()
    await disk.append(['secret'], strict)
    void disk.append(['late secret'], relaxed)
    await disk.wipe()
    await disk.append(['new'], relaxed)
    await disk.replace(1, ['newer'])
    expect(await reopened(disk, name)).toEqual(['newer'])
  })

  test('S7: a closed disk can be wiped, and stays closed', async () => {
    const { name, disk } = await fresh()
    await disk.append(['secret'], relaxed)
    await disk.close()
    await disk.wipe()
    await expect(disk.append(['x'], relaxed)).rejects.toMatchObject({ code: 'disk' })
    const again = await open(name)
    expect(await again.read()).toEqual([])
    await again.close()
  })

  test('W1: closing waits for what was appended, and afterwards nothing is taken', async () => {
    const { name, disk } = await fresh()
    void disk.append(['a'], relaxed)
    void disk.append(['b'], strict)
    await disk.close()
    await disk.close()
    for (const call of [() => disk.append(['c'], relaxed), () => disk.replace(0, ['c'])]) {
      await expect(call()).rejects.toSatisfy((error) => error instanceof HeadwaterError && error.code === 'disk')
    }
    const again = await open(name)
    expect(await again.read()).toEqual(['a', 'b'])
    await again.close()
  })

  test('disks of different names know nothing of each other', async () => {
    const [a, b] = [await fresh(), await fresh()]
    await Promise.all([a.disk.append(['of a'], relaxed), b.disk.append(['of b'], relaxed)])
    await a.disk.wipe()
    expect(await reopened(b.disk, b.name)).toEqual(['of b'])
    await a.disk.close()
  })

  test('whatever the history of appends, replacements, wipes and restarts: the disk equals a list', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const name = freshName()
        let disk = await open(name)
        let model = await disk.read()
        const calls: Promise<void>[] = []
        for (const one of steps) {
          if (one.type === 'restart') {
            await disk.close()
            disk = await open(name)
            expect(await disk.read()).toEqual(model)
          } else calls.push(call(disk, one, model.length))
          model = expected(one, model)
        }
        await Promise.all(calls)
        expect(await reopened(disk, name)).toEqual(model)
      }),
      { numRuns: options.examples },
    )
  })
}

type Step =
  | { readonly type: 'append'; readonly records: readonly DiskRecord[]; readonly strict: boolean }
  | { readonly type: 'replace'; readonly part: number; readonly records: readonly DiskRecord[] }
  | { readonly type: 'wipe' | 'restart' }

const records = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('append' as const), records, strict: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('replace' as const), part: fc.double({ min: 0, max: 1, noNaN: true }), records }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('wipe' as const, 'restart' as const) }) },
)

const counted = (part: number, length: number) => Math.round(part * length)

async function call(disk: Disk, one: Step, length: number): Promise<void> {
  if (one.type === 'append') await disk.append(one.records, one)
  if (one.type === 'replace') await disk.replace(counted(one.part, length), one.records)
  if (one.type === 'wipe') await disk.wipe()
}

function expected(one: Step, model: readonly DiskRecord[]): readonly DiskRecord[] {
  if (one.type === 'append') return [...model, ...one.records]
  if (one.type === 'replace') return [...one.records, ...model.slice(counted(one.part, model.length))]
  return one.type === 'wipe' ? [] : model
}
