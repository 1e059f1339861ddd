// The world's time: it stands still while anything is at work, and goes on to the next thing that is due.
// Invariant: one thing at a time, in the order of their times; of those at once, in the order in which they were set.

/** Who set a timer. What is dead runs no more; what is frozen runs late. */
export interface Owner {
  readonly name: string
  isDead: boolean
  isFrozen: boolean
}

export interface Time {
  now(): number
  /** Runs once after `afterMs`. The answer cancels it. */
  timer(owner: Owner, afterMs: number, run: () => void): () => void
  pause(owner: Owner, ms: number): Promise<void>
  /** Goes on until then, or until `isOver`, which is asked at every moment at which something was due. */
  advance(untilMs: number, isOver?: () => boolean): Promise<void>
  /** Goes on until the work is done. */
  until<T>(work: Promise<T>): Promise<T>
  /** What fell due while it was frozen runs now. */
  thaw(owner: Owner): void
  /** Timers that are set and belong to somebody alive. */
  timers(): number
  /** How many were run so far. */
  ran(): number
}

interface Due {
  readonly atMs: number
  readonly order: number
  readonly owner: Owner
  readonly run: () => void
}

/** `rest`: resolves when nothing is at work that time waits for, and no microtask is left. `onSettled`: time goes on after it. */
export function createTime(startMs: number, rest: () => Promise<void>, onSettled: () => void): Time {
  const heap: Due[] = []
  const cancelled = new Set<number>()
  const late: Due[] = []
  let nowMs = startMs
  let count = 0
  let ran = 0

  function timer(owner: Owner, afterMs: number, run: () => void): () => void {
    const order = ++count
    push(heap, { atMs: nowMs + Math.max(0, afterMs), order, owner, run })
    return () => void cancelled.add(order)
  }

  async function settle(): Promise<void> {
    await rest()
    onSettled()
  }

  function runOne(due: Due): boolean {
    if (cancelled.delete(due.order) || due.owner.isDead) return false
    if (due.owner.isFrozen) {
      late.push(due)
      return false
    }
    ran++
    due.run()
    return true
  }

  async function advance(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settle()
    for (let first = heap[0]; first && first.atMs <= untilMs; first = heap[0]) {
      pop(heap)
      nowMs = Math.max(nowMs, first.atMs)
      if (!runOne(first)) continue
      await settle()
      if (isOver()) return
    }
    nowMs = Math.max(nowMs, untilMs)
  }

  async function until<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    while (!isOver) await advance(nowMs + 1_000, () => isOver)
    return work
  }

  return {
    now: () => nowMs,
    timer,
    until,
    pause: (owner, ms) => new Promise((resolve) => timer(owner, ms, resolve)),
    advance,
    thaw: (owner) => {
      owner.isFrozen = false
      for (const due of late.splice(0)) {
        if (due.owner === owner) timer(owner, 0, () => void (cancelled.delete(due.order) || due.run()))
        else late.push(due)
      }
    },
    timers: () => [...heap, ...late].filter(({ order, owner }) => !owner.isDead && !cancelled.has(order)).length,
    ran: () => ran,
  }
}

const isBefore = (one: Due, other: Due) => one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)

function push(heap: Due[], due: Due): void {
  let at = heap.push(due) - 1
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (!parent || !isBefore(due, parent)) break
    heap[at] = parent
    at = above
  }
  heap[at] = due
}

/** Takes the first away. */
function pop(heap: Due[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    const [left, right] = [heap[below], heap[below + 1]]
    if (!left) break
    if (right && isBefore(right, left)) below++
    const child = heap[below]
    if (!child || isBefore(last, child)) break
    heap[at] = child
    at = below
  }
  heap[at] = last
}
