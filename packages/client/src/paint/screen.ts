// Invariant: what is painted was shown on this device to this person, of this database, after it was on the disk. Where the marker that says so is
// gone, nothing is painted and nothing is written: somebody signed out, in this tab or another.
import { HeadwaterError, rowSum } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { FirstPaint, PaintedResult } from '../api.ts'
import type { Note } from '../ports.ts'
import { createPainted, type Results } from './painted.ts'
import { rowsOfText, textOfRows } from './text.ts'

export interface LastScreenOptions {
  /** Of each query, at most. Default: 100. */
  readonly rows?: number
  /** Of all together, at most, twice as many bytes in localStorage. What does not fit is not painted. Default: 200,000. */
  readonly characters?: number
}

/** What changes is written so long afterwards, when the page has nothing else to do. */
const saveAfterMs = 2_000

/**
 * Paints the last screen of this person when the app starts: what its live queries showed lies in localStorage, and `result()` answers with it, `partial`, in the
 * same task in which the client was made. The rows of the disk take its place when they are read. Removed by `wipe`, in every tab, and by
 * a client of another person at the same URL. Without localStorage, and in Node, nothing is painted.
 *
 *     createClient({ schema, mutators, url: '/', user, firstPaint: lastScreen() })
 */
export function lastScreen({ rows = 100, characters = 200_000 }: LastScreenOptions = {}): FirstPaint {
  return (engine, { schema, url, user, ports: { note, clock } }) => {
    if (!note) return engine
    const screen = createScreen(note, url, user, fingerprintOf(schema))
    const first = screen.read()
    const painted = createPainted({ results: first.results, live: engine.store.live, onFollowed: plan })
    let isOver = false
    let isPlanned = false
    let saved: readonly unknown[] = []
    let scopes = engine.store.scopes()

    engine.pending.subscribe(() => {
      const before = scopes
      scopes = engine.store.scopes()
      // What the person may not see any more is not painted again, not even if the page goes away at once.
      if (before !== scopes && !includes(scopes, before)) {
        screen.forget()
        // What is shown all the same is written again.
        saved = []
      }
      plan()
    })
    const start = () => {
      const { database } = engine.outbox.identity()
      if (database !== first.database) screen.forget()
      if (!isOver) screen.begin(database)
      painted.end()
    }
    void engine.ready.then(start, painted.end)

    function plan(): void {
      if (isPlanned || isOver) return
      isPlanned = true
      clock.timer(saveAfterMs, () => whenIdle(() => void save()))
    }

    async function save(): Promise<void> {
      isPlanned = false
      const shown = [...painted.followed].map(([text, { query }]) => ({ text, result: query.result() })).filter(({ result }) => result.rows.length > 0)
      const results = shown.map(({ result }) => result)
      if (engine.status.get().phase === 'starting' || (results.length === saved.length && results.every((one, at) => one === saved[at]))) return
      const shownIn = scopes
      // Everything that these rows come from was handed to the disk before.
      await engine.settled()
      if (isOver || engine.status.get().problem) return
      // What was shown may be of a scope that was taken away meanwhile.
      if (scopes !== shownIn) return plan()
      saved = results
      screen.write(engine.outbox.identity().database, bodyOf(shown, rows, characters))
    }

    const stop = <T>(then: () => T): T => {
      isOver = true
      return then()
    }
    return {
      ...engine,
      store: { ...engine.store, live: painted.live },
      close: () => stop(engine.close),
      wipe: () =>
        stop(() => {
          screen.remove()
          return engine.wipe()
        }),
    }
  }
}

/** A page that is never idle has its screen remembered all the same. */
const idleMsMax = 2_000
const whenIdle = (run: () => void) => (globalThis.requestIdleCallback ? globalThis.requestIdleCallback(run, { timeout: idleMsMax }) : run())

interface Shown {
  readonly text: string
  readonly result: PaintedResult
}

/** One line per query, as many as fit. */
function bodyOf(shown: readonly Shown[], rowsMax: number, charactersMax: number): string {
  let left = charactersMax
  return shown
    .map(({ text, result }) => `${JSON.stringify(text)}\n${textOfRows(result.rows.slice(0, rowsMax))}`)
    .filter((line) => {
      if (line.length <= left) left -= line.length
      else return false
      return true
    })
    .join('\n')
}

interface Granted {
  readonly granted: ReadonlySet<string>
  readonly held: ReadonlySet<string>
  readonly tag: string | null
}

/** True if all is there that was there before, by the same roles. */
const includes = (now: Granted, before: Granted): boolean =>
  (before.tag === null || before.tag === now.tag) &&
  [...before.granted].every((scope) => now.granted.has(scope)) &&
  [...before.held].every((scope) => now.held.has(scope))

/** A column that has come, gone or changed its type makes the rows of before those of another app. */
const fingerprintOf = ({ definitions }: Schema): number =>
  sumOf(JSON.stringify(Object.entries(definitions).map(([name, { columns }]) => [name, Object.entries(columns).map(([column, { type }]) => [column, type])])))

const sumOf = (text: string) => rowSum(text, 0)

/**
 * One text per URL: a line with the marker, `[person, database, fingerprint of the schema]`, then the sum of what follows, then two lines per query. Nothing
 * throws: a browser that blocks localStorage, or has no room in it, paints nothing.
 */
function createScreen(note: Note, url: string, user: string, fingerprint: number) {
  const name = `headwater-screen ${url}`
  const read = () => attempt(() => note.read(name).find(([of]) => of === name)?.[1]) ?? ''
  const write = (text: string) => {
    if (attempt(() => note.write(name, text) ?? true) === null) attempt(() => note.write(name, ''))
  }
  const markerOf = (database: string | null) => JSON.stringify([user, database, fingerprint])
  /** The person and database of the marker, if it is one. */
  const marked = (line = read().split('\n', 1)[0] ?? ''): readonly unknown[] => attempt(() => [...JSON.parse(line)]) ?? []
  const isOurs = () => marked()[0] === user

  return {
    /** What is to be painted. What is not this person's is removed. */
    read: (): { readonly database: unknown; readonly results: Results } => {
      const [line = '', sum, ...lines] = read().split('\n')
      const [person, database, app] = marked(line)
      const isWhole = app === fingerprint && sum === String(sumOf(lines.join('\n')))
      if (person !== user) write('')
      return { database, results: (person === user && isWhole && attempt(() => resultsOf(lines))) || new Map() }
    },
    /** Marks that this person is signed in. */
    begin: (database: string | null) => {
      if (!isOurs()) write(markerOf(database))
    },
    /** What was shown goes, and who is signed in stays. */
    forget: () => {
      const [line = '', sum] = read().split('\n', 2)
      if (sum !== undefined && marked(line)[0] === user) write(line)
    },
    write: (database: string | null, body: string) => {
      if (isOurs()) write([markerOf(database), sumOf(body), body].join('\n'))
    },
    remove: () => {
      if (isOurs()) write('')
    },
  }
}

function resultsOf(lines: readonly string[]): Results {
  const results = new Map<string, PaintedResult>()
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const rows = rowsOfText(lines[at + 1] ?? '')
    if (!Array.isArray(rows) || !rows.every((row) => typeof row === 'object' && row !== null)) throw new HeadwaterError('malformed', 'There are no rows.')
    results.set(JSON.parse(lines[at] ?? ''), { rows, state: 'partial' })
  }
  return results
}

function attempt<T>(work: () => T): T | null {
  try {
    return work()
  } catch {
    return null
  }
}
