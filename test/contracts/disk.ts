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

  test('a replacement takes the place of all records, again and again, within this opening and the next', async () => {
    const { name, disk } = await fresh()
    await disk.append(numbered(0, 4), relaxed)
    await disk.replace(['s1', 's2', 's3', 's4', 's5', 's6'])
    await disk.append(['tail'], relaxed)
    await disk.replace(['t1'])
    await disk.append(['next'], relaxed)
    await disk.close()
    const again = await open(name)
    expect(await again.read()).toEqual(['t1', 'next'])
    await again.replace(['u1', 'u2'])
    await again.append(['last'], relaxed)
    expect(await reopened(again, name)).toEqual(['u1', 'u2', 'last'])
  })

  test('a replacement may bring nothing, or take nothing away', async () => {
    const { name, disk } = await fresh()
    await disk.replace(['before'])
    await disk.replace([])
    await disk.append(['c'], relaxed)
    expect(await reopened(disk, name)).toEqual(['c'])
  })

  test('replacing while appending loses and moves nothing', async () => {
    const { name, disk } = await fresh()
    const calls: Promise<unknown>[] = numbered(0, 50).map((record) => disk.append([record], relaxed))
    calls.push(disk.replace(['snapshot of 50']))
    for (const record of numbered(50, 100)) calls.push(disk.append([record], relaxed))
    await Promise.all(calls)
    expect(await reopened(disk, name)).toEqual(['snapshot of 50', ...numbered(50, 100)])
  })

  test('S7: after a wipe nothing is left, and the disk can be used again', async () => {
    const { name, disk } = await fresh()
    await disk.append(['secret'], strict)
    void disk.append(['late secret'], relaxed)
    await disk.wipe()
    await disk.append(['new'], relaxed)
    await disk.replace(['newer'])
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
    for (const call of [() => disk.append(['c'], relaxed), () => disk.replace(['c']), () => disk.replace(['c'], true), () => disk.news()]) {
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
        const calls: Promise<unknown>[] = []
        for (const one of steps) {
          if (one.type === 'restart') {
            await disk.close()
            disk = await open(name)
            expect(await disk.read()).toEqual(model)
          } else calls.push(call(disk, one))
          model = expected(one, model)
        }
        await Promise.all(calls)
        expect(await reopened(disk, name)).toEqual(model)
      }),
      { numRuns: options.examples },
    )
  })
}

/** What disks promise that several tabs have open at a time: all of them are one sequence. */
export function sharedDiskContract(open: OpenDisk, options: { readonly examples: number }): void {
  const openTwo = async () => {
    const name = freshName()
    const [one, two] = [await open(name), await open(name)]
    await one.replace(['first'], true)
    expect(await two.read()).toEqual(['first'])
    return { name, one, two }
  }
  const readOnce = async (name: string) => {
    const disk = await open(name)
    const records = await disk.read()
    await disk.close()
    return records
  }
  const behind = { code: 'disk-behind' }

  test('W3: what two append is one sequence, and each is told what the other appended before its own', async () => {
    const { name, one, two } = await openTwo()
    expect(await one.append(['a1', 'a2'], relaxed)).toEqual([])
    expect(await two.append(['b1'], strict)).toEqual(['a1', 'a2'])
    expect(await two.append(['b2'], relaxed)).toEqual([])
    expect(await one.append(['a3'], relaxed)).toEqual(['b1', 'b2'])
    expect(await two.news()).toEqual(['a3'])
    expect(await two.news()).toEqual([])
    expect(await readOnce(name)).toEqual(['first', 'a1', 'a2', 'b1', 'b2', 'a3'])
  })

  test('W1: a large record and many small ones of another are told whole', async () => {
    const { one, two } = await openTwo()
    const large = 'large é '.repeat(200_000)
    await one.append([large], relaxed)
    await one.append(numbered(0, 1_000), relaxed)
    expect(await two.news()).toEqual([large, ...numbered(0, 1_000)])
  })

  test('F8: a fenced append is refused behind what it may not follow, nothing of it is written, and nothing is broken', async () => {
    const { name, one, two } = await openTwo()
    const mayFollow = (missed: readonly DiskRecord[]) => !missed.includes('leader 2')
    expect(await one.append(['by 1'], { strict: false, mayFollow })).toEqual([])
    await two.append(['own'], strict)
    expect(await one.append(['by 1 again'], { strict: false, mayFollow })).toEqual(['own'])
    await two.append(['leader 2'], strict)
    await expect(one.append(['late', 'and later'], { strict: false, mayFollow })).rejects.toMatchObject(behind)
    expect(await one.append(['anybody may'], strict)).toEqual(['by 1 again', 'leader 2'].slice(1))
    expect(await two.news()).toEqual(['by 1 again', 'anybody may'].slice(1))
    expect(await readOnce(name)).toEqual(['first', 'by 1', 'own', 'by 1 again', 'leader 2', 'anybody may'])
  })

  test('R2: who knew all goes on behind a snapshot; who did not is told to read it', async () => {
    const { name, one, two } = await openTwo()
    const three = await open(name)
    expect(await three.read()).toEqual(['first'])
    await one.append(['a', 'b', 'c'], relaxed)
    await two.news()
    await one.replace(['s1', 's2', 's3', 's4', 's5'])
    expect(await two.news()).toEqual([])
    expect(await two.append(['d'], relaxed)).toEqual([])
    for (const late of [() => three.news(), () => three.append(['x'], strict), () => three.replace(['x']), () => three.replace(['x'], true)])
      await expect(late()).rejects.toMatchObject(behind)
    expect(await three.read()).toEqual(['s1', 's2', 's3', 's4', 's5', 'd'])
    expect(await three.append(['e'], relaxed)).toEqual([])
    expect(await one.append(['f'], relaxed)).toEqual(['d', 'e'])
    await one.replace(['t'])
    await expect(two.append(['g'], relaxed)).rejects.toMatchObject(behind)
    expect(await readOnce(name)).toEqual(['t'])
  })

  test('F8: a beginning is not exchanged by who does not know what others have appended', async () => {
    const { name, one, two } = await openTwo()
    await one.append(['a'], relaxed)
    await expect(two.replace(['s'])).rejects.toMatchObject(behind)
    await expect(two.replace(['s'], true)).rejects.toMatchObject(behind)
    expect(await two.append(['b'], relaxed)).toEqual(['a'])
    await two.replace(['s'])
    expect(await readOnce(name)).toEqual(['s'])
    await expect(one.append(['late'], relaxed)).rejects.toMatchObject(behind)
  })

  test('R2: where everything is begun anew, everybody else reads it first', async () => {
    const { name, one, two } = await openTwo()
    await one.replace(['another'], true)
    await expect(two.news()).rejects.toMatchObject(behind)
    await expect(two.append(['late'], strict)).rejects.toMatchObject(behind)
    expect(await two.read()).toEqual(['another'])
    expect(await two.append(['in time'], strict)).toEqual([])
    expect(await one.news()).toEqual(['in time'])
    expect(await readOnce(name)).toEqual(['another', 'in time'])
  })

  test('F8: of two that find nothing, one begins, and the other reads that first', async () => {
    const name = freshName()
    const [one, two] = [await open(name), await open(name)]
    expect([await one.read(), await two.read()]).toEqual([[], []])
    const begun = await Promise.allSettled([one.append(['by one'], strict), two.append(['by two'], strict)])
    expect(begun.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const [winner, loser, text] = begun[0].status === 'fulfilled' ? [one, two, 'by one'] : [two, one, 'by two']
    expect(await loser.read()).toEqual([text])
    await loser.append(['later'], strict)
    expect(await winner.news()).toEqual(['later'])
  })

  test('whoever writes what and whenever: one sequence, in which the records of each stand as it wrote them', async () => {
    const turn = fc.record({ by: fc.nat(2), type: fc.constantFrom('append', 'append', 'append', 'news', 'compact'), count: fc.nat(3) })
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 40 }), async (turns) => {
        const name = freshName()
        const disks = [await open(name), await open(name), await open(name)]
        await disks[0]?.replace(['begun'], true)
        // What each knows, and what there is.
        const known = await Promise.all(disks.map(async (disk) => [...(await disk.read())]))
        const all = ['begun']
        const hear = async (i: number, work: (disk: Disk, mine: string[]) => Promise<void>) => {
          const [disk, mine] = [disks[i], known[i]]
          if (!disk || !mine) return
          await work(disk, mine).catch(async (error) => {
            if (error.code !== 'disk-behind') throw error
            known[i] = [...(await disk.read())]
          })
        }
        for (const [at, { by, type, count }] of turns.entries()) {
          const own = numbered(0, count).map((record) => `${record} of turn ${at} by ${by}`)
          await hear(by, async (disk, mine) => {
            if (type === 'news') mine.push(...(await disk.news()))
            if (type === 'append') {
              mine.push(...(await disk.append(own, { strict: at % 2 === 0 })), ...own)
              all.push(...own)
            }
            if (type === 'compact') {
              await disk.replace(['sum', ...mine])
              mine.unshift('sum')
            }
          })
        }
        const plain = (records: readonly string[]) => records.filter((record) => record !== 'sum')
        for (const i of [0, 1, 2])
          await hear(i, async (disk, mine) => {
            mine.push(...(await disk.news()))
          })
        for (const one of known) expect(plain(one)).toEqual(all)
        for (const disk of disks) await disk.close()
        expect(plain(await readOnce(name))).toEqual(all)
      }),
      { numRuns: options.examples },
    )
  })
}

type Step =
  | { readonly type: 'append'; readonly records: readonly DiskRecord[]; readonly strict: boolean }
  | { readonly type: 'replace' | 'anew'; readonly records: readonly DiskRecord[] }
  | { readonly type: 'wipe' | 'restart' }

const records = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('append' as const), records, strict: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('replace' as const), records }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('anew' as const), records }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('wipe' as const, 'restart' as const) }) },
)

async function call(disk: Disk, one: Step): Promise<void> {
  if (one.type === 'append') await disk.append(one.records, one)
  if (one.type === 'replace') await disk.replace(one.records)
  if (one.type === 'anew') await disk.replace(one.records, true)
  if (one.type === 'wipe') await disk.wipe()
}

function expected(one: Step, model: readonly DiskRecord[]): readonly DiskRecord[] {
  if (one.type === 'append') return [...model, ...one.records]
  if (one.type === 'replace' || one.type === 'anew') return one.records
  return one.type === 'wipe' ? [] : model
}
