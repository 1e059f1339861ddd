// What completes commands and options in a shell, made of the definitions of the commands. It asks nothing and starts nothing.
import type { ArgDef, CommandDef } from 'citty'

export const shells = ['bash', 'zsh', 'fish'] as const

interface Described {
  readonly name: string
  readonly description: string
  readonly options: readonly { readonly name: string; readonly description: string; readonly takesValue: boolean }[]
}

export function completionOf(shell: (typeof shells)[number], commands: Readonly<Record<string, CommandDef>>): string {
  const described = Object.entries(commands).map(([name, command]) => describe(name, command))
  return { bash, zsh, fish }[shell](described)
}

function describe(name: string, { meta, args }: CommandDef): Described {
  // Ours are plain objects: neither comes from a function or a promise.
  const { description = '' } = (meta ?? {}) as { readonly description?: string }
  const options = Object.entries((args ?? {}) as Readonly<Record<string, ArgDef>>).filter(([, { type }]) => type !== 'positional')
  return {
    name,
    description,
    options: [
      ...options.map(([option, { type, description: text = '' }]) => ({ name: `--${option}`, description: text, takesValue: type !== 'boolean' })),
      { name: '--help', description: 'what it does and takes', takesValue: false },
    ],
  }
}

const folders = ['--app', '--data', '--folder', '--state']
const optionNames = ({ options }: Described) => options.map(({ name }) => name).join(' ')

function bash(commands: readonly Described[]): string {
  return `# headwater completion bash
_headwater() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options=''
  COMPREPLY=()
  case "$before" in
    ${folders.join('|')}) COMPREPLY=($(compgen -d -- "$word")); return ;;
    ${valued(commands).join('|')}) return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map((command) => `    ${command.name}) options='${optionNames(command)}' ;;`).join('\n')}
    help) options='${commands.map(({ name }) => name).join(' ')}' ;;
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -o default -F _headwater headwater
`
}

/** Behind these comes something that nobody knows. */
const valued = (commands: readonly Described[]) =>
  [...new Set(commands.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).map(({ name }) => name)))].filter(
    (name) => !folders.includes(name),
  )

function zsh(commands: readonly Described[]): string {
  const optionOf = ({ name, description, takesValue }: Described['options'][number]) =>
    shellQuoted(`${name}[${description.replace(/[[\]\\]/g, '\\$&')}]${takesValue ? `:${name.slice(2)}:${folders.includes(name) ? '_files -/' : ' '}` : ''}`)
  return `#compdef headwater
# headwater completion zsh
_headwater() {
  local -a commands
  commands=(
${commands.map(({ name, description }) => `    ${shellQuoted(`${name}:${description.replaceAll(':', '\\:')}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${commands.map(({ name, options }) => `    ${name}) _arguments ${options.map(optionOf).join(' ')} '*:file:_files' ;;`).join('\n')}
    help) _describe command commands ;;
  esac
}
if [ "$funcstack[1]" = _headwater ]; then _headwater "$@"; else compdef _headwater headwater; fi
`
}

function fish(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c headwater -n __fish_use_subcommand -f -a ${name} -d ${shellQuoted(description)}`,
    ...options.map(
      (option) =>
        `complete -c headwater -n '__fish_seen_subcommand_from ${name}' -l ${option.name.slice(2)} -d ${shellQuoted(option.description)}${option.takesValue ? ' -r' : ''}${folders.includes(option.name) ? " -a '(__fish_complete_directories)'" : ''}`,
    ),
  ])
  return `# headwater completion fish\n${lines.join('\n')}\n`
}

/** In single quotes, for any of the three. */
const shellQuoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
