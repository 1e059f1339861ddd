// An answer while it is written, token by token, from the server that writes it. What sync brings is the same text, a little later: where this does not come, nothing
// is missing.
import { z } from 'zod'

export interface AnswerStreamPorts {
  readonly request: typeof fetch
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>
}

const piece = z.object({ at: z.number(), text: z.string() })
const againMs = 1_000

/** Follows an answer until it is told to stop; `onText` gets all of the text so far. What ends or cannot be reached is asked for again. */
export function followAnswer(id: string, onText: (text: string) => void, { request, wait }: AnswerStreamPorts): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const follow = async () => {
    while (!signal.aborted) {
      try {
        const response = await request(`/api/answers/${id}`, { signal })
        if (response.status === 200 && response.body) await readPieces(response.body, onText)
      } catch {
        // Offline, a server that is away, or no longer asked for.
      }
      if (!signal.aborted) await wait(againMs)
    }
  }
  void follow()
  return () => controller.abort()
}

async function readPieces(body: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let [text, unread] = ['', '']
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const lines = (unread + decoder.decode(read.value, { stream: true })).split('\n')
    unread = lines.pop() ?? ''
    for (const line of lines) {
      const next = piece.parse(JSON.parse(line))
      text = text.slice(0, next.at) + next.text
    }
    if (lines.length > 0) onText(text)
  }
}

export interface Written {
  readonly state: 'whole' | 'waiting' | 'writing' | 'stopped' | 'interrupted'
  readonly content: string
}

/** What is shown of an answer: what came by itself where that is ahead, and what the store holds as soon as its last word is said. */
export const shownText = ({ state, content }: Written, streamed: string): string =>
  (state === 'waiting' || state === 'writing') && streamed.length > content.length ? streamed : content
