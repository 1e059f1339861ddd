import { HeadwaterError } from '@headwater/protocol'
import { type CommandDef, defineCommand } from 'citty'
import { completionOf, shells } from '../completion.ts'

/** `commands`: all there are, this one among them. */
export const completion = (commands: () => Readonly<Record<string, CommandDef>>) =>
  defineCommand({
    meta: { name: 'completion', description: 'Prints what makes a shell complete commands and options: bash, zsh or fish.' },
    args: { shell: { type: 'positional', required: true, description: 'bash, zsh or fish' } },
    run: ({ args }) => {
      const shell = shells.find((one) => one === args.shell)
      if (shell === undefined) throw new HeadwaterError('usage', `There is no completion for ${args.shell}.`, `There is for ${shells.join(', ')}.`)
      process.stdout.write(completionOf(shell, commands()))
    },
  })
