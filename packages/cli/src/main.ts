import { HeadwaterError } from '@headwater/protocol'
import { type CommandDef, defineCommand, renderUsage, runCommand } from 'citty'
import { can } from './command/can.ts'
import { dev } from './command/dev.ts'
import { doctor } from './command/doctor.ts'
import { identity } from './command/identity.ts'
import { init } from './command/init.ts'
import { migrate } from './command/migrate.ts'
import { start } from './command/start.ts'
import { status } from './command/status.ts'
import { tail } from './command/tail.ts'
import { uninstall } from './command/uninstall.ts'
import { whoSees } from './command/whoSees.ts'
import { explain } from './explain.ts'
import { version } from './version.ts'

// Each has arguments of its own; the command line only needs their names.
const commands = { init, dev, start, migrate, tail, status, doctor, identity, can, 'who-sees': whoSees, uninstall } as unknown as Readonly<
  Record<string, CommandDef>
>
const headwater = defineCommand({
  meta: { name: 'headwater', version, description: 'One truth in PostgreSQL, an instant copy on every device.' },
  subCommands: commands,
})

/** Exit codes: 0 done, 1 it failed, 2 the command line was not understood. Of a command that answers by its exit code: as it says itself. */
export async function main(args: readonly string[]): Promise<void> {
  const [name = ''] = args
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (args.includes('--version')) return say(version)
  if (args.includes('--help') || args.includes('-h') || name === 'help') return say(await usageOf(command))
  if (command === undefined) return misunderstood(name === '' ? 'No command was given.' : `There is no command ${name}.`, await usageOf(undefined))
  const unknown = unknownFlag(command, args.slice(1))
  if (unknown !== null) return misunderstood(`${name} has no option ${unknown}.`, await usageOf(command))
  try {
    await runCommand(command, { rawArgs: args.slice(1) })
  } catch (error) {
    if (error instanceof Error && error.name === 'CLIError') return misunderstood(error.message, await usageOf(command))
    process.stderr.write(`${explain(error, args.includes('--json'))}\n`)
    process.exitCode ??= error instanceof HeadwaterError && error.code === 'usage' ? 2 : 1
  }
}

const usageOf = (command: CommandDef | undefined) => (command === undefined ? renderUsage(headwater) : renderUsage(command, headwater))

const say = (text: string) => {
  process.stdout.write(`${text}\n`)
}

function misunderstood(what: string, usage: string): void {
  process.stderr.write(`${what}\n\n${usage}\n`)
  process.exitCode = 2
}

/** The parser takes unknown options in silence: a mistyped one would do something else than was asked. */
function unknownFlag(command: CommandDef, args: readonly string[]): string | null {
  const known = new Set(Object.keys(command.args ?? {}))
  const flags = args.filter((arg) => arg.startsWith('-') && arg !== '--').map((arg) => arg.replace(/^--?(no-)?/, '').split('=', 1)[0] ?? '')
  return flags.find((flag) => !known.has(flag)) ?? null
}
