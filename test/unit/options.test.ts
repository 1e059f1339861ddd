import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { amount, argsOf, helpOf, judgeOptions, oneOf, seeds, someOf, whole } from '../harness/options.ts'
import { command as simulate } from '../simulation/options.ts'

const options = {
  count: { takes: whole(1), says: 'so many', default: 3 },
  seed: { takes: seeds, says: 'these' },
  minutes: { takes: amount, says: 'so long' },
  kind: { takes: someOf(['fork', 'clone'], { mayBeNone: true }), says: 'what happens' },
  database: { takes: oneOf(['pglite', 'native']), says: 'on what', default: 'pglite' },
  shrink: { says: 'makes it small', needs: 'seed' },
} as const
const command = { name: 'npm run thing', does: 'something', options }
const read = (...args: string[]) => judgeOptions(command, args)

test('what is said is read, and what is not said is as usual', () => {
  expect(read()).toEqual({ values: { count: 3, database: 'pglite', shrink: false }, asked: {}, rest: [] })
  const asked = { count: 7, seed: [0, 12], minutes: 0.5, kind: ['clone', 'fork'], database: 'native', shrink: true }
  const said = ['--count', '7', '--seed=0,12', '--minutes', '0.5', '--kind', 'clone,fork', '--database', 'native', '--shrink']
  expect(read(...said)).toEqual({ values: asked, asked, rest: [] })
  expect(read('--kind', '')).toMatchObject({ values: { kind: [] } })
  expect(read(...argsOf(asked))).toMatchObject({ asked })
})

test.each([
  [['--nosuch'], 'There is no option --nosuch.'],
  [['-x'], 'There is no option -x.'],
  [['--toString'], 'There is no option --toString.'],
  [['word'], 'word is no option.'],
  [['--count'], '--count takes a whole number from 1 on, and not nothing.'],
  [['--count', 'abc'], '--count takes a whole number from 1 on, and not abc.'],
  [['--count', '0'], '--count takes a whole number from 1 on, and not 0.'],
  [['--count', '1e3'], '--count takes a whole number from 1 on, and not 1e3.'],
  [['--count', '--shrink'], '--count takes a whole number from 1 on, and not --shrink.'],
  [['--seed', '-1'], '--seed takes a whole number from 0 on, or several with commas between, and not -1.'],
  [['--seed', '1,,2'], '--seed takes a whole number from 0 on, or several with commas between, and not 1,,2.'],
  [['--minutes', '0'], '--minutes takes a number above 0, and not 0.'],
  [['--kind', 'fork,spoon'], "--kind takes some of fork, clone, with commas between, or '' for none, and not fork,spoon."],
  [['--database', 'oracle'], '--database takes one of pglite, native, and not oracle.'],
  [['--shrink=yes', '--seed', '1'], '--shrink takes nothing, and not yes.'],
  [['--shrink'], '--shrink means something only with --seed.'],
])('%j is answered by one sentence that says what to do, and 2', (args, text) => {
  expect(read(...args)).toEqual({ text: `${text} \`npm run thing -- --help\` says what there is.`, code: 2 })
})

test('--help says what there is, one line for each, whatever else is said', () => {
  const answer = read('--nosuch', '--help')
  expect(answer).toEqual({ text: helpOf(command), code: 0 })
  const lines = helpOf(command).split('\n')
  expect(lines).toHaveLength(2 + Object.keys(options).length + 1)
  expect(lines).toContain('  --count N         so many; without, 3')
  for (const option of Object.keys(simulate.options)) expect(helpOf(simulate)).toContain(`\n  --${option} `)
})

// Whoever forgets to ask what was said would run for minutes here.
test.each([
  ['simulate', '--nosuch'],
  ['faults', '--nosuch'],
  ['trials', '--nosuch'],
  ['bench', '--help'],
])('npm run %s -- %s says so, and runs nothing', async (name, arg) => {
  const script: string = JSON.parse(readFileSync('package.json', 'utf8')).scripts[name]
  const answer = await new Promise((resolve) => {
    const [, ...args] = [...script.split(' '), arg]
    execFile(process.execPath, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
  const wrong = { code: 2, stdout: '', stderr: `There is no option --nosuch. \`npm run ${name} -- --help\` says what there is.\n` }
  const help = { code: 0, stdout: expect.stringContaining(`npm run ${name} -- [options]: `), stderr: '' }
  expect(answer).toEqual(arg === '--help' ? help : wrong)
})
