import type { Note } from '../src/ports.ts'

/** The small texts of a browser, and a page that goes away when a test says so. */
export function createNotes() {
  const texts = new Map<string, string>()
  const leaving = new Set<() => void>()
  const note: Note = {
    read: (start) => [...texts].filter(([of]) => of.startsWith(start)),
    write: (of, text) => void (text ? texts.set(of, text) : texts.delete(of)),
    onLeave: (run) => {
      leaving.add(run)
      return () => void leaving.delete(run)
    },
  }
  const leave = () => {
    for (const run of [...leaving]) run()
  }
  return { note, texts, leaving, leave }
}
