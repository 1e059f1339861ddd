import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { command } from '../../../test/harness/command.ts'
import { commands } from '../src/commands.ts'

const patience = 120_000

/** What bash offers for the last of the words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { out } = await command('completion', 'bash')
  const script = `${out}\nCOMP_WORDS=(headwater "$@")\nCOMP_CWORD=$#\n_headwater\nprintf '%s\\n' "\${COMPREPLY[@]}"`
  const ran = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], { encoding: 'utf8', cwd: new URL('..', import.meta.url).pathname })
  expect({ code: ran.status, err: ran.stderr }).toEqual({ code: 0, err: '' })
  return ran.stdout.split('\n').filter((line) => line !== '')
}

test('bash completes commands, their options and folders, and offers nothing where nobody knows', { timeout: patience }, async () => {
  expect(await offered('')).toEqual(expect.arrayContaining([...Object.keys(commands), 'help', '--version']))
  expect(await offered('st')).toEqual(['start', 'status'])
  expect(await offered('migrate', '--d')).toEqual(['--data', '--database', '--dry-run'])
  expect(await offered('migrate', '--dry-run', '--js')).toEqual(['--json'])
  expect(await offered('start', '--vi')).toEqual([])
  expect(await offered('help', 'who')).toEqual(['who-sees'])
  expect(await offered('status', '--app', 's')).toEqual(['src'])
  expect(await offered('status', '--database', '')).toEqual([])
  expect(await offered('nothing', '')).toEqual([])
})

test.each(['zsh', 'fish'])('the completion for %s names every command and every option', async (shell) => {
  const { code, out } = await command('completion', shell)
  expect(code).toBe(0)
  for (const [name, { args }] of Object.entries(commands)) {
    expect(out).toContain(name)
    for (const [option, { type }] of Object.entries(args ?? {}))
      if (type !== 'positional') expect(out).toContain(shell === 'zsh' ? `--${option}[` : `-l ${option} `)
  }
  // What is quoted ends where it should.
  for (const line of out.split('\n')) expect((line.replaceAll("'\\''", '').match(/'/g) ?? []).length % 2).toBe(0)
})

test('a shell that there is none for is not understood', async () => {
  expect(await command('completion', 'tcsh')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('bash, zsh, fish') })
  expect(await command('completion')).toMatchObject({ code: 2, out: '' })
})
