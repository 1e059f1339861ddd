// What the server does beyond what devices do: an answer that is asked for is written by a job, after the commit.
import type { ServerMutators } from '@headwater/server'
import { mutators } from '../mutators.ts'
import type { serverSchema } from './schema.ts'

export const serverMutators: ServerMutators<typeof serverSchema, typeof mutators> = {
  sendMessage: async (tx, args) => {
    await mutators.sendMessage.run(tx, args)
    if (args.answerId !== undefined) await tx.after('answer', { message: args.answerId })
  },
  continueAnswer: async (tx, args) => {
    await mutators.continueAnswer.run(tx, args)
    await tx.after('answer', { message: args.id })
  },
}
