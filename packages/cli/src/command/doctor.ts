import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder } from '../app.ts'
import { diagnose, type Finding } from '../diagnose.ts'
import { onLine, paint } from '../paint.ts'

export const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Looks for what is wrong with this machine, the app and its database, and says what to do. Exit code 1: something is.' },
  args: {
    ...appArgs,
    ...jsonArg,
  },
  run: async ({ args }) => {
    const findings = await diagnose(appFolder(args.app, args.data), args.database)
    answer(args.json, findings, () => `${findings.map(lineOf).join('\n')}\n`)
    if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1
  },
})

const marks = { good: paint('green', '✓'), doubtful: paint('yellow', '!'), bad: paint('red', '✗') }

function lineOf({ about, state, says, hint }: Finding): string {
  return `${marks[state]} ${about.padEnd(14)} ${onLine(says)}${hint === '' ? '' : `\n  ${' '.repeat(14)} ${paint('dim', onLine(hint))}`}`
}
