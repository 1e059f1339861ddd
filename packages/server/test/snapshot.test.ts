import { HeadwaterError } from '@headwater/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { includes, isVisible, type Snapshot, snapshotBelow, snapshotOf } from '../src/feed/snapshot.ts'

/** A run of transactions that begin and end, and the snapshots taken meanwhile: what PostgreSQL would answer. */
const run = fc.array(fc.oneof(fc.constant('begin' as const), fc.constant('snapshot' as const), fc.nat(5)), { maxLength: 80 })

function snapshotsOf(events: readonly ('begin' | 'snapshot' | number)[]) {
  let next = 100n
  const open: bigint[] = []
  const ended = new Set<bigint>()
  const taken: { snapshot: Snapshot; ended: ReadonlySet<bigint> }[] = []
  for (const event of events) {
    if (event === 'begin') open.push(next++)
    else if (event === 'snapshot') {
      const text = `${open.toSorted((a, b) => Number(a - b))[0] ?? next}:${next}:${open.toSorted((a, b) => Number(a - b)).join(',')}`
      taken.push({ snapshot: snapshotOf(text), ended: new Set(ended) })
    } else {
      const [xid] = open.splice(event % Math.max(1, open.length), 1)
      if (xid !== undefined) ended.add(xid)
    }
  }
  return { taken, xids: Array.from({ length: Number(next - 100n) }, (_, i) => BigInt(i) + 100n) }
}

describe('a snapshot', () => {
  test('sees exactly what had ended when it was taken', () => {
    fc.assert(
      fc.property(run, (events) => {
        const { taken, xids } = snapshotsOf(events)
        for (const { snapshot, ended } of taken) for (const xid of xids) expect(isVisible(xid, snapshot)).toBe(ended.has(xid))
      }),
    )
  })

  test('includes every one taken before it, and none after it that saw more', () => {
    fc.assert(
      fc.property(run, (events) => {
        const { taken } = snapshotsOf(events)
        for (const [j, later] of taken.entries()) {
          for (const earlier of taken.slice(0, j + 1)) {
            expect(includes(later.snapshot, earlier.snapshot)).toBe(true)
            if (later.ended.size > earlier.ended.size) expect(includes(earlier.snapshot, later.snapshot)).toBe(false)
          }
        }
      }),
    )
  })

  test('below a transaction sees what is below it', () => {
    expect(isVisible(6n, snapshotBelow(7n))).toBe(true)
    expect(isVisible(7n, snapshotBelow(7n))).toBe(false)
  })

  test.each(['', '1', '1:2', 'a:b:c', '5:4:', "1:2:3'; drop table", '1:2:3,', '-1:2:', '1:2:3;'])('from a device is read with care: %j', (text) => {
    expect(() => snapshotOf(text)).toThrow(HeadwaterError)
  })
})
