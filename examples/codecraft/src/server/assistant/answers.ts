// Invariant: an answer's text is written at most twice a second, by one job at a time, and its last text is in the database before its state says so. What goes to
// the one who watches it goes past the database, and is never the only place of it for longer than that.
import type { JobHandler } from '@headwater/server'
import { z } from 'zod'
import { answerTo, tokensOf } from './generator.ts'
import { createHub, type Hub } from './hub.ts'
import * as rows from './rows.ts'

export const tokensPerSecond = 30
export const writeEveryMs = 500

export interface AnswersPorts {
  /** Milliseconds. */
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
}

export interface Answers extends Pick<Hub, 'watch'> {
  /** The job that writes an answer: `{ message: <id> }`. */
  readonly handler: JobHandler
}

const payloadShape = z.object({ message: z.uuid() })

/** Writes answers. One that another try of the same job began is not begun again: its server died, and it says so. */
export function createAnswers(ports: AnswersPorts): Answers {
  const hub = createHub()
  return {
    watch: hub.watch,
    handler: async (payload, { key, signal, database }) => {
      const { message } = payloadShape.parse(payload)
      const begun = await rows.begin(database, message, key)
      if (!begun) return rows.interrupt(database, message, key)
      const { content, people, ...question } = begun
      const whole = answerTo(question)
      // Files and titles change: what is there may be the beginning of another text, and is never taken back.
      const rest = whole.startsWith(content) ? whole.slice(content.length) : `\n\n${whole}`
      const answer = hub.open(message, content, people)
      try {
        const text = await write(tokensOf(rest), content, signal, {
          show: answer.set,
          save: async (text) => {
            const allowed = await rows.save(database, message, key, text)
            if (allowed) answer.allow(allowed)
            return allowed !== null
          },
        })
        await rows.end(database, message, key, text, signal.aborted ? 'interrupted' : 'whole')
      } finally {
        answer.close()
      }
    },
  }

  interface Sinks {
    readonly show: (text: string) => void
    /** False: it was stopped, or is gone. */
    readonly save: (text: string) => Promise<boolean>
  }

  /** Token by token, each shown at once; resolves with what was written when it is whole, was stopped, or has to end. */
  async function write(tokens: readonly string[], begun: string, signal: AbortSignal, { show, save }: Sinks): Promise<string> {
    let text = begun
    let saving: Promise<void> | null = null
    let savedAt = ports.now()
    let isWanted = true
    let trouble: unknown = null
    const saveNow = async (now: number) => {
      savedAt = now
      try {
        isWanted = await save(text)
      } catch (error) {
        trouble = error
      } finally {
        saving = null
      }
    }
    const beganAt = ports.now()
    for (const [i, token] of tokens.entries()) {
      // By the clock: on a machine that is busy several tokens come at once, and the answer takes no longer.
      const inMs = beganAt + ((i + 1) * 1_000) / tokensPerSecond - ports.now()
      if (inMs > 0) await ports.wait(inMs)
      if (trouble !== null) throw trouble
      if (!isWanted || signal.aborted) break
      text += token
      show(text)
      if (saving === null && ports.now() - savedAt >= writeEveryMs) saving = saveNow(ports.now())
    }
    await saving
    return text
  }
}
