import { defineCommand } from 'citty'
import { devArgs, serve } from '../serve.ts'

const { vite: _, watch: __, ...args } = devArgs

export const start = defineCommand({
  meta: { name: 'start', description: 'Starts an app as in production: no seed, no watching, nothing rebuilt.' },
  args: { ...args, host: { type: 'string', description: 'address to listen on (default: 127.0.0.1, for a proxy on this machine)' } },
  run: ({ args: given }) => serve(given, { isProduction: true }),
})
