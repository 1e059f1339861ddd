import { defineCommand } from 'citty'
import { appFolder } from '../app.ts'
import { diagnose, type Finding } from '../diagnose.ts'
import { onLine, paint } from '../paint.ts'

export const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Looks for what is wrong with this machine, the app and its database, and says what to do. Exit code 1: something is.' },
  args: {
    app: { type: 'string', description: 'folder of the app (default: this one)' },
    data: { type: 'string', description: 'folder of the embedded database (default: .headwater in the app)' },
    database: { type: 'string', description: 'URL of the database (default: that of the running app)' },
    json: { type: 'boolean', description: 'JSON instead of text' },
  },
  run: async ({ args }) => {
    const findings = await diagnose(appFolder(args.app, args.data), args.database)
    process.stdout.write(args.json ? `${JSON.stringify(findings, null, 2)}\n` : `${findings.map(lineOf).join('\n')}\n`)
    if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1
  },
})

const marks = { good: paint('green', '✓'), doubtful: paint('yellow', '!'), bad: paint('red', '✗') }

function lineOf({ about, state, says, hint }: Finding): string {
  return `${marks[state]} ${about.padEnd(14)} ${onLine(says)}${hint === '' ? '' : `\n  ${' '.repeat(14)} ${paint('dim', onLine(hint))}`}`
}
