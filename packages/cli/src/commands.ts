import { type CommandDef, defineCommand } from 'citty'
import { can } from './command/can.ts'
import { completion } from './command/completion.ts'
import { dev } from './command/dev.ts'
import { doctor } from './command/doctor.ts'
import { identity } from './command/identity.ts'
import { init } from './command/init.ts'
import { migrate } from './command/migrate.ts'
import { reset } from './command/reset.ts'
import { seed } from './command/seed.ts'
import { start } from './command/start.ts'
import { status } from './command/status.ts'
import { tail } from './command/tail.ts'
import { uninstall } from './command/uninstall.ts'
import { whoSees } from './command/whoSees.ts'
import { version } from './version.ts'

// Each has arguments of its own; what reads them all only needs their names and descriptions.
export const commands = {
  init,
  dev,
  start,
  migrate,
  seed,
  tail,
  status,
  doctor,
  identity,
  can,
  'who-sees': whoSees,
  reset,
  uninstall,
  completion: completion(() => commands),
} as unknown as Readonly<Record<string, CommandDef>>

export const headwater = defineCommand({
  meta: { name: 'headwater', version, description: 'One truth in PostgreSQL, an instant copy on every device.' },
  subCommands: commands,
})
