import type { TailSession, Transaction, TransactionMode } from '../ports.ts'
import { createServerSession, type ServerSession } from './session.ts'
import { bindable, checkStatement } from './statement.ts'
import { createTurns } from './turns.ts'

type RunTransaction = <T>(session: ServerSession, mode: TransactionMode, run: (transaction: Transaction) => Promise<T>) => Promise<T>

/**
 * The tail's own two connections to a server: one that reads, and one that is told of news, so that neither waits for the other.
 * Rejects with `connection` if the database does not answer. When either is lost, both are given up.
 */
export async function openServerTail(url: string, transaction: RunTransaction): Promise<TailSession> {
  const wakes = new Map<string, (() => void)[]>()
  const listeners: ((error: unknown) => void)[] = []
  const turns = createTurns('The tail')
  // A generic plan reads all of the log: 140 ms and more where 0.4 will do.
  const reader = createServerSession(url, { prelude: 'set plan_cache_mode = force_custom_plan' })
  const listener = createServerSession(url, { prelude: `set application_name = 'headwater listen'`, onNotify: wake })
  let lost: unknown

  function wake(channel: string): void {
    for (const run of wakes.get(channel) ?? []) run()
  }

  function lose(error: unknown): void {
    if (lost !== undefined) return
    lost = error
    void close()
    for (const run of listeners.splice(0)) run(error)
  }

  async function close(): Promise<void> {
    await Promise.all([reader.close(), listener.close()])
  }

  reader.onLost(lose)
  listener.onLost(lose)
  await Promise.all([reader.command('select 1'), listener.command('select 1')])

  const unlessLost = <T>(body: () => Promise<T>): Promise<T> => (lost === undefined ? body() : Promise.reject(lost))

  return {
    query: (text, parameters = []) => unlessLost(() => turns.run(() => reader.query(checkStatement(text), bindable(parameters)))),
    read: (run) => unlessLost(() => turns.run(() => transaction(reader, 'read', run), true)),
    onWake: (channel, run) =>
      unlessLost(async () => {
        wakes.set(channel, [...(wakes.get(channel) ?? []), run])
        await listener.command(`listen "${channel.replaceAll('"', '""')}"`)
      }),
    onLost: (run) => (lost === undefined ? void listeners.push(run) : run(lost)),
    close,
  }
}
