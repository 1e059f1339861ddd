import { HeadwaterError } from '@headwater/protocol'

/** What a PostgreSQL says of an error, under one set of names for both drivers. */
export interface ErrorFields {
  readonly sqlstate: string
  readonly message: string
  /** Not translated: ERROR, FATAL or PANIC. */
  readonly severity?: string | undefined
  readonly hint?: string | undefined
  readonly constraint?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
}

/**
 * A failure as the ports promise it: `connection` when the session is over, `sql` for everything else. The server's DETAIL is
 * left out, because it quotes rows.
 */
export function sqlFailure(fields: ErrorFields): HeadwaterError {
  const { message, hint, ...rest } = fields
  const details = { ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined && value !== '')), message }
  if (isOver(fields)) return new HeadwaterError('connection', `The database ended the session: ${message}.`, hint || 'It is tried again.', details)
  return new HeadwaterError('sql', `PostgreSQL refused a statement: ${message} (${fields.sqlstate}).`, hint ?? '', details)
}

/** The connection is lost, or was never made. What was under way may or may not have been committed. */
export function connectionFailure(why: string, hint = 'Check that the database is running and that its URL is right.'): HeadwaterError {
  return new HeadwaterError('connection', `The connection to the database is lost: ${why}.`, hint)
}

/** For a commit that PostgreSQL answered with ROLLBACK: a statement had failed, and `run` had swallowed the error. */
export const abortedFailure = () =>
  sqlFailure({
    sqlstate: '25P02',
    message: 'the transaction had failed before its commit, and was rolled back',
    severity: 'ERROR',
    hint: 'Let errors of statements pass, or use a savepoint.',
  })

export const closedFailure = () => new HeadwaterError('closed', 'The database has been closed.', 'Do not use it after close().')

/** The session ends with it. */
export const isOver = ({ severity, sqlstate }: ErrorFields) =>
  severity === 'FATAL' || severity === 'PANIC' || sqlstate.startsWith('08') || /^57P0[1-4]$/.test(sqlstate)

/** A transaction was kept and used after it had ended. */
export const overFailure = () =>
  new HeadwaterError('over', 'The transaction is over.', 'Await every statement inside of the function that was handed the transaction.')
