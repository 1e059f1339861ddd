import { limits } from './limits.ts'
import type { BoundText } from './statement.ts'
import { bind, closeStatement, copyFail, describePortal, execute, parse } from './wire.ts'

/**
 * The statements that a session of the wire protocol has prepared, by text, least recently used first: parsing costs more than
 * carrying out (1,700 against 4,400 three-statement transactions a second, embedded).
 */
export interface Prepared {
  /** Adds to `pipeline` what carries out a statement, parsing it first where that has not been done. */
  add(pipeline: Pipeline, text: string, values: readonly BoundText[]): void
  /** To be told how many of the pipeline's Parse messages were carried out: a failure makes a server skip the rest. */
  settle(pipeline: Pipeline, parsed: number): void
  /** The session may answer them wrongly: the tables have changed. */
  clear(): void
  /** The session has forgotten all of them. */
  forget(): void
}

export interface Pipeline {
  readonly messages: Buffer[]
  /** Texts that are parsed in it, in order, with their names. */
  readonly parses: Map<string, string>
}

export const createPipeline = (...messages: readonly Buffer[]): Pipeline => ({ messages: [...messages], parses: new Map() })

export function createPrepared(): Prepared {
  const names = new Map<string, string>()
  /** Not used any more, and still held by the server. */
  const orphans: string[] = []
  let count = 0

  function nameOf(pipeline: Pipeline, text: string): string {
    const known = names.get(text)
    if (known !== undefined) {
      names.delete(text)
      names.set(text, known)
      return known
    }
    const name = pipeline.parses.get(text) ?? `headwater_${++count}`
    if (!pipeline.parses.has(text)) {
      pipeline.parses.set(text, name)
      pipeline.messages.push(...evict(), parse(name, text))
    }
    return name
  }

  function evict(): Buffer[] {
    const [oldest] = names
    if (oldest !== undefined && names.size >= limits.preparedMax) {
      names.delete(oldest[0])
      orphans.push(oldest[1])
    }
    return orphans.splice(0).map(closeStatement)
  }

  function add(pipeline: Pipeline, text: string, values: readonly BoundText[]): void {
    const name = nameOf(pipeline, text)
    pipeline.messages.push(bind('', name, values), describePortal(''), execute('', 0), copyFail)
  }

  function settle(pipeline: Pipeline, parsed: number): void {
    for (const [text, name] of [...pipeline.parses].slice(0, parsed)) {
      const other = names.get(text)
      // Two pipelines that were on their way at once have both prepared it.
      if (other !== undefined) orphans.push(other)
      names.set(text, name)
    }
  }

  function clear(): void {
    orphans.push(...names.values())
    names.clear()
  }

  function forget(): void {
    orphans.length = 0
    names.clear()
  }

  return { add, settle, clear, forget }
}
