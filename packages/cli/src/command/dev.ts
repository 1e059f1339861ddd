import { defineCommand } from 'citty'
import { developed } from '../developed.ts'
import { devArgs, serve } from '../serve.ts'

export const dev = defineCommand({
  meta: { name: 'dev', description: 'Starts an app: database, tables, server and pages. Prints its URL.' },
  args: devArgs,
  run: ({ args, rawArgs }) => (args.watch || args.vite ? developed(args, rawArgs) : serve(args, { isProduction: false })),
})
