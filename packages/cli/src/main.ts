import { stripVTControlCharacters } from 'node:util'
import { HeadwaterError } from '@headwater/protocol'
import { type CommandDef, renderUsage, runCommand } from 'citty'
import { commands, headwater } from './commands.ts'
import { explain } from './explain.ts'
import { version } from './version.ts'

/** Exit codes: 0 done, 1 it failed, 2 the command line was not understood. Of a command that answers by its exit code: as it says itself. */
export async function main(args: readonly string[]): Promise<void> {
  const [first = '', second = ''] = args
  const isHelp = args.includes('--help') || args.includes('-h') || first === 'help'
  const name = first === 'help' ? second : first
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const asJson = args.includes('--json')
  if (args.includes('--version')) return say(version)
  if (isHelp && (command !== undefined || name === '' || name.startsWith('-'))) return say(await usageOf(command))
  if (command === undefined) return misunderstood(name === '' ? 'No command was given.' : `There is no command ${name}.${meant(name)}`, undefined, asJson)
  const unknown = unknownFlag(command, args.slice(1))
  if (unknown !== null) return misunderstood(`${name} has no option ${unknown}.`, command, asJson)
  try {
    await runCommand(command, { rawArgs: args.slice(1) })
  } catch (error) {
    if (error instanceof Error && error.name === 'CLIError') return misunderstood(error.message, command, asJson)
    process.stderr.write(`${explain(error, asJson)}\n`)
    process.exitCode ??= error instanceof HeadwaterError && error.code === 'usage' ? 2 : 1
  }
}

/** Coloured where a person reads. */
async function usageOf(command: CommandDef | undefined): Promise<string> {
  const usage = await (command === undefined ? renderUsage(headwater) : renderUsage(command, headwater))
  const isPlain = !process.stdout.isTTY || process.env.NO_COLOR !== undefined
  return usage
    .split('\n')
    .map((line) => (isPlain ? stripVTControlCharacters(line) : line).trimEnd())
    .join('\n')
}

/** A command that begins alike. */
function meant(name: string): string {
  const alike = Object.keys(commands).filter((one) => one.slice(0, 2) === name.slice(0, 2))
  return alike.length === 0 ? '' : ` Is ${alike.join(' or ')} meant?`
}

const say = (text: string) => {
  process.stdout.write(`${text}\n`)
}

async function misunderstood(what: string, command: CommandDef | undefined, asJson: boolean): Promise<void> {
  process.exitCode = 2
  const error = new HeadwaterError('usage', what, 'headwater --help')
  process.stderr.write(asJson ? `${explain(error, true)}\n` : `${what}\n\n${await usageOf(command)}\n`)
}

/** The parser takes unknown options in silence: a mistyped one would do something else than was asked. */
function unknownFlag(command: CommandDef, args: readonly string[]): string | null {
  const known = new Set(Object.keys(command.args ?? {}))
  const flags = args.filter((arg) => arg.startsWith('-') && arg !== '--').map((arg) => arg.replace(/^--?(no-)?/, '').split('=', 1)[0] ?? '')
  return flags.find((flag) => !known.has(flag)) ?? null
}
