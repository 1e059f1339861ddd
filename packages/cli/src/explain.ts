import { HeadwaterError } from '@headwater/protocol'

/** An error for a person, or as one line of JSON for a program. Bugs keep their stack: somebody has to find them. */
export function explain(error: unknown, asJson: boolean): string {
  const known = error instanceof HeadwaterError && error.code !== 'bug' ? error : null
  const message = error instanceof Error ? error.message : String(error)
  if (asJson) return JSON.stringify({ error: { code: known?.code ?? 'failed', message, hint: known?.hint ?? '' } })
  if (known) return `error: ${known.message}${known.hint && `\n  ${known.hint}`}`
  return `error: ${error instanceof Error ? (error.stack ?? message) : message}`
}
