import { HeadwaterError, type Json, unstorable, unstorableText, limits as wire } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Statement } from '../ports.ts'
import type { After } from './job.ts'

type When = NonNullable<Parameters<After['after']>[2]>

/** Part of the mutation's transaction: committed with it, or not there. */
export function enqueueStatement(key: string, name: string, payload: Json, { delayMs = 0, at }: When): Statement {
  if (name === '' || name.length > wire.nameLengthMax || unstorableText(name) !== null)
    throw invalid(`A job's name is a text of 1 to ${wire.nameLengthMax} characters.`)
  const why = unstorable(payload, wire.jsonDepthMax, 'the payload')
  if (why !== null) throw invalid(`The job ${name} cannot be kept: ${why}.`)
  const encoded = JSON.stringify(payload)
  if (Buffer.byteLength(encoded) > limits.jobBytesMax) throw invalid(`The payload of ${name} has more than ${limits.jobBytesMax} bytes.`)
  if (!(delayMs >= 0 && delayMs <= limits.jobDelayMsMax)) throw invalid(`A delay of ${delayMs} ms is none.`)
  return {
    text: `insert into headwater.jobs (key, name, payload, due)
      values ($1, $2, $3::text::jsonb, coalesce($4::text::timestamptz, now()) + $5::text::float8 * interval '1 millisecond')`,
    parameters: [key, name, encoded, at === undefined ? null : timeOf(at), String(delayMs)],
  }
}

function timeOf(at: string | Date): string {
  const time = new Date(at)
  if (Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1 || time.getUTCFullYear() > 9_999) throw invalid(`${String(at)} is no time.`)
  return time.toISOString()
}

const invalid = (message: string) => new HeadwaterError('invalid', message, 'tx.after(name, payload, { delayMs, at }) takes JSON and a time.')
