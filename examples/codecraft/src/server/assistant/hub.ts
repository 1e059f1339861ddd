// Answers while they are written on this server, for those who watch them token by token. What a reader has not taken yet is not kept for them: they get it at once,
// as one piece, when they read on. So a reader that stops reading costs nothing.
export interface Hub {
  /** An answer that is being written from now on, on this server. */
  open(id: string, text: string, people: readonly string[]): Opened
  /**
   * What is written of an answer, from its beginning, each piece as `{"at":<characters before it>,"text":"..."}` and a line end. Waits a while for it to begin.
   * null: it is not written here, or this person may not see it.
   */
  watch(id: string, person: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null>
}

export interface Opened {
  /** All of its text so far. */
  set(text: string): void
  /** Who may see it; whoever may not any more is cut off. */
  allow(people: readonly string[]): void
  close(): void
}

interface Answer {
  text: string
  people: readonly string[]
  isOver: boolean
  readonly listeners: Set<() => void>
}

const beginMsMax = 8_000

export function createHub(): Hub {
  const answers = new Map<string, Answer>()
  const begun = new Set<() => void>()
  const tell = ({ listeners }: Answer) => {
    for (const run of [...listeners]) run()
  }

  return {
    open: (id, text, people) => {
      const answer: Answer = { text, people, isOver: false, listeners: new Set() }
      answers.set(id, answer)
      for (const run of [...begun]) run()
      const change = (changed: Partial<Answer>) => {
        Object.assign(answer, changed)
        tell(answer)
      }
      return {
        set: (next) => change({ text: next }),
        allow: (allowed) => change({ people: allowed }),
        close: () => {
          if (answers.get(id) === answer) answers.delete(id)
          change({ isOver: true })
        },
      }
    },
    watch: async (id, person, signal) => {
      if (!answers.has(id)) await new Promise<void>((resolve) => waitUntil(() => answers.has(id), begun, signal, resolve))
      const answer = answers.get(id)
      return answer?.people.includes(person) ? streamOf(answer, person) : null
    },
  }
}

function waitUntil(isSo: () => boolean, listeners: Set<() => void>, signal: AbortSignal, done: () => void): void {
  const end = () => {
    clearTimeout(timer)
    listeners.delete(look)
    done()
  }
  const look = () => isSo() && end()
  const timer = setTimeout(end, beginMsMax)
  signal.addEventListener('abort', end)
  listeners.add(look)
}

function streamOf(answer: Answer, person: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let sent = 0
  let look = () => {}
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        look = () => {
          const isAllowed = answer.people.includes(person)
          if (isAllowed && sent < answer.text.length && (controller.desiredSize ?? 0) > 0) {
            controller.enqueue(encoder.encode(`${JSON.stringify({ at: sent, text: answer.text.slice(sent) })}\n`))
            sent = answer.text.length
          }
          if (isAllowed && !(answer.isOver && sent === answer.text.length)) return
          answer.listeners.delete(look)
          controller.close()
        }
        answer.listeners.add(look)
      },
      pull: () => {
        if (answer.listeners.has(look)) look()
      },
      cancel: () => void answer.listeners.delete(look),
    },
    new CountQueuingStrategy({ highWaterMark: 4 }),
  )
}
