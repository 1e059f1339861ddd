import type { TailSession } from '../ports.ts'
import type { Host } from './address.ts'
import { openConnection } from './connection.ts'
import { sqlFailure } from './failure.ts'
import { createSession, type Shapes } from './session.ts'
import { createTurns } from './turns.ts'
import { simpleQuery } from './wire.ts'

/** A generic plan reads all of the log: 140 ms and more where 0.4 will do. */
const readerSettings = { plan_cache_mode: 'force_custom_plan' }
/** A tail rests for as long as nothing comes, and what it reads is ours. */
const restful = { statement_timeout: '0', lock_timeout: '0', idle_session_timeout: '0', idle_in_transaction_session_timeout: '0' }

/**
 * The tail's own two connections to a server: one that reads, and one that is told of news, so that neither waits for the other.
 * Rejects with `connection` if the database does not answer. When either is lost, both are given up.
 */
export async function openServerTail(hosts: readonly Host[], shapes: Shapes): Promise<TailSession> {
  const wakes = new Map<string, ((payload: string) => void)[]>()
  const listeners: ((error: unknown) => void)[] = []
  const turns = createTurns('The tail')
  let lost: unknown
  let isClosed = false

  const reader = await openConnection({ hosts, settings: { ...readerSettings, ...restful } })
  const listener = await openConnection({ hosts, settings: restful, onNotify: wake }).catch(async (error: unknown) => {
    await reader.close()
    throw error
  })
  const { isDirect } = reader
  const session = createSession(reader, shapes, { isPooled: !isDirect })

  function wake(channel: string, payload: string): void {
    for (const run of wakes.get(channel) ?? []) run(payload)
  }

  function lose(error: unknown): void {
    if (lost !== undefined || isClosed) return
    lost = error
    void Promise.all([reader.close(), listener.close()])
    for (const run of listeners.splice(0)) run(error)
  }

  async function onWake(channel: string, run: (payload: string) => void): Promise<void> {
    if (!isDirect) return
    wakes.set(channel, [...(wakes.get(channel) ?? []), run])
    const { error } = await listener.send([simpleQuery(`listen "${channel.replaceAll('"', '""')}"`)])
    if (error) throw sqlFailure(error)
  }

  async function close(): Promise<void> {
    isClosed = true
    wakes.clear()
    await Promise.all([reader.close(), listener.close()])
  }

  reader.onLost(lose)
  listener.onLost(lose)

  return {
    query: (text, parameters = []) => turns.run('tail', () => session.queryOnce(text, parameters)),
    read: (run) => turns.run('tail', () => session.transaction('read', run), true),
    isDirect,
    onWake,
    onLost: (run) => (lost === undefined ? void listeners.push(run) : run(lost)),
    close,
  }
}
