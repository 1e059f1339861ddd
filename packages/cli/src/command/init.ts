import { basename, relative, resolve } from 'node:path'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { initialise, type Made } from '../initialise.ts'
import { paint } from '../paint.ts'

export const init = defineCommand({
  meta: {
    name: 'init',
    description: 'Begins an app: in an empty folder a small one that works, in a Vite React app what it needs to use Headwater. Overwrites nothing.',
  },
  args: {
    folder: { type: 'positional', required: false, description: 'folder of the app, made if it is not there (default: this one)' },
    name: { type: 'string', description: 'name in package.json (default: that of the folder)' },
    ...jsonArg,
  },
  run: async ({ args }) => {
    const folder = resolve(args.folder ?? '.')
    const made = await initialise(folder, args.name ?? basename(folder))
    answer(args.json, { folder, ...made }, () => textOf(relative('.', folder), made))
  },
})

function textOf(folder: string, { kind, written, kept, dependencies, scripts, steps }: Made): string {
  const files = [...written.map((path) => `${paint('green', '+')} ${path}`), ...kept.map((path) => paint('dim', `= ${path}  was there, and is as it was`))]
  const added = [
    ...(dependencies.length > 0 ? [`${paint('green', '+')} package.json: ${dependencies.join(', ')}`] : []),
    ...scripts.map((script) => `${paint('green', '+')} package.json: npm run ${script}`),
  ]
  const into = folder === '' ? [] : [`cd ${folder}`]
  const title = kind === 'new' ? 'A small app of shared lists:' : 'What this Vite app needs to use Headwater:'
  return `${[title, ...files, ...added, '', 'Next:', ...[...into, ...steps].map((step) => `  ${step}`)].join('\n')}\n`
}
