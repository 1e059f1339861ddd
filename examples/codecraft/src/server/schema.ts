import { text } from '@headwater/schema'
import { withServerColumns } from '@headwater/server'
import { schema } from '../schema.ts'

/** With what no device hears of: `writer` is the job that writes an answer, so that another try of it knows its own. */
export const serverSchema = withServerColumns(schema, { messages: { writer: text().max(100).nullable() } })
