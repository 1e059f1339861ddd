import { HeadwaterError } from '@headwater/protocol'
import type { Transaction } from '../ports.ts'

/**
 * What runs in a transaction that everybody else waits for, given up once it has left the transaction alone for `idleMs`: it waits for something else,
 * perhaps for ever. Rejects with `timeout`; the transaction is then over for what goes on of it.
 */
export function bounded<T>(run: (transaction: Transaction) => Promise<T>, idleMs: number): (transaction: Transaction) => Promise<T> {
  return (transaction) => {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      let underWay = 0
      const watch = () => {
        clearTimeout(timer)
        timer = setTimeout(() => reject(idleFailure(idleMs)), idleMs)
      }
      const unwatched = async <A>(statement: Promise<A>): Promise<A> => {
        underWay++
        clearTimeout(timer)
        return statement.finally(() => {
          if (--underWay === 0) watch()
        })
      }
      const query: Transaction['query'] = (text, parameters) => unwatched(transaction.query(text, parameters))
      const stream: Transaction['stream'] = (text, parameters, onRows) =>
        unwatched(
          transaction.stream(text, parameters, async (rows) => {
            watch()
            const goesOn = await onRows(rows)
            clearTimeout(timer)
            return goesOn
          }),
        )
      const execute: Transaction['execute'] = (script) => unwatched(transaction.execute(script))
      watch()
      // Whatever comes first counts; a statement of it that is still under way sets no timer that anybody waits for.
      run({ query, stream, execute })
        .finally(() => {
          underWay = Number.POSITIVE_INFINITY
          clearTimeout(timer)
        })
        .then(resolve, reject)
    })
  }
}

const idleFailure = (idleMs: number) =>
  new HeadwaterError(
    'timeout',
    `A transaction was left alone for ${idleMs} ms while everybody else waited, and was rolled back.`,
    'Inside of a transaction on the embedded database await nothing but its own statements.',
  )
