// Invariant: what a server has put into a page is shown as the server showed it until the store has all that was committed then; it is shown to the
// person whose it is, and nobody else.
import type { Json } from '@headwater/protocol'
import { decodeValue, type PageData, type TableDefinition, tableOf } from '@headwater/schema'
import type { FirstPaint, PaintedEngine, PaintedResult } from '../api.ts'
import { createPainted, type Results } from './painted.ts'

/** A device that is live has everything some milliseconds after it is committed. */
const liveMs = 2_000

/**
 * Shows the rows that a server has put into the page (`server.page`): from the first render, the hydration included, until the store has reached their snapshot; what the
 * person has pending is shown from then on. Queries that are not in the page are left to `next`. Data of another person is not used.
 *
 *     createClient({ schema, mutators, url: '/', user, firstPaint: fromPage(data, lastScreen()) })
 */
export function fromPage(data: PageData, next?: FirstPaint): FirstPaint {
  return (made, options) => {
    const engine = next?.(made, options) ?? made
    if (data.user !== options.user) return engine
    const results = resultsOf(data, (name) => tableOf(options.schema, name))
    const painted = createPainted({ results, live: engine.store.live, onFollowed: () => {} })
    const stop = engine.pending.subscribe(look)
    let cancel = () => {}
    function look(): void {
      const isComplete = () => [...painted.followed.values()].every(({ query }) => query.result().state === 'complete')
      if (!isReached(engine, data, isComplete)) {
        // Where nothing happens the server has no reason to say that it has reached the snapshot.
        cancel()
        if (engine.status.get().phase === 'live') cancel = options.ports.clock.timer(liveMs, end)
        return
      }
      end()
    }
    function end(): void {
      cancel()
      stop()
      // Queries have followed by now, and whoever hears of this one asks them.
      painted.end()
    }
    return { ...engine, store: { ...engine.store, live: painted.live } }
  }
}

/** A result that this build of the app cannot read, because the server's is another, is left to the store. */
function resultsOf({ results }: PageData, tableNamed: (name: string) => TableDefinition): Results {
  const found = new Map<string, PaintedResult>()
  for (const { text, table, rows } of results)
    try {
      found.set(text, { rows: rows.map(decoderOf(tableNamed(table))), state: 'partial' })
    } catch {}
  return found
}

/** A column that this build does not know is not there. */
const decoderOf =
  ({ columns }: TableDefinition) =>
  (row: Readonly<Record<string, Json>>) =>
    Object.fromEntries(
      Object.entries(row).flatMap(([name, value]) => {
        const column = Object.hasOwn(columns, name) ? columns[name] : undefined
        return column ? [[name, decodeValue(column, value)]] : []
      }),
    )

/** True once the store holds what the server saw, or will never: it is of another database, or past of it. */
function isReached({ store, status, outbox }: PaintedEngine, { database, history, snapshot }: PageData, isComplete: () => boolean): boolean {
  const cursor = store.cursor()
  const known = outbox.identity().database
  if (known !== null && known !== database) return true
  // A cursor is before the first load, and while one is under way.
  if (cursor === null || store.scopes().more) return false
  const [ofDatabase, ofHistory, seen] = cursor.split(' ')
  if (ofDatabase !== database || ofHistory !== history) return true
  // Rows of scopes that the screen holds may still be on their way, which a server is asked for first.
  return includes(seen ?? '', snapshot) && (status.get().phase === 'live' || isComplete())
}

/** Whether one pg_snapshot shows all that another of the same database shows. */
export function includes(snapshot: string, other: string): boolean {
  const [later, earlier] = [partsOf(snapshot), partsOf(other)]
  return later.xmax >= earlier.xmax && [...later.running].every((xid) => xid >= earlier.xmax || earlier.running.has(xid))
}

/** `xmin:xmax:xip,xip`. What is none shows nothing. */
function partsOf(text: string) {
  const [, , xmax = '0', running = ''] = /^(\d+):(\d+):([\d,]*)$/.exec(text) ?? []
  return { xmax: BigInt(xmax), running: new Set(running.split(',').filter(Boolean).map(BigInt)) }
}
