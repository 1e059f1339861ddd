// docs/cli.md has every command and option as the definitions have them. `UPDATE_CLI_PAGE=1` writes it anew.
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { command } from '../../../test/harness/command.ts'
import { commands } from '../src/commands.ts'

const path = new URL('../../../docs/cli.md', import.meta.url)
const parts = /(<!-- commands: .*? -->\n)([\s\S]*?)(<!-- end -->)/

/** A definition, as far as it is plain. */
interface Plain {
  readonly meta: { readonly name: string; readonly description: string }
  readonly args?: Readonly<Record<string, { readonly type: string; readonly required?: boolean; readonly description: string }>>
}

// Ours are plain objects.
const all = Object.entries(commands as unknown as Readonly<Record<string, Plain>>)

const cell = (text: string) => text.replaceAll('|', '\\|')

function sectionOf([name, { meta, args = {} }]: (typeof all)[number]): string {
  const words = Object.entries(args).filter(([, { type }]) => type === 'positional')
  const options = Object.entries(args).filter(([, { type }]) => type !== 'positional')
  const usage = ['headwater', name, ...words.map(([word, { required }]) => (required ? word.toUpperCase() : `[${word.toUpperCase()}]`))].join(' ')
  const rows = [
    ...words.map(([word, { description }]) => `| \`${word.toUpperCase()}\` | ${cell(description)} |`),
    ...options.map(([option, { type, description }]) => `| \`--${option}${type === 'boolean' ? '' : ' …'}\` | ${cell(description)} |`),
  ]
  return `### ${usage}\n\n${meta.description}\n\n${rows.length > 0 ? `| | |\n|---|---|\n${rows.join('\n')}\n` : ''}`
}

test('docs/cli.md has every command and every option, as they are defined', () => {
  const page = readFileSync(path, 'utf8')
  const now = page.replace(parts, (_, open: string, __, close: string) => `${open}\n${all.map(sectionOf).join('\n')}\n${close}`)
  if (process.env.UPDATE_CLI_PAGE) writeFileSync(path, now)
  else expect(page, 'UPDATE_CLI_PAGE=1 npx vitest run --project unit packages/cli/test/cli-page.test.ts').toBe(now)
})

test('every command explains itself, and what is not understood is said as JSON where that was asked for', async () => {
  for (const [name, { meta }] of all) {
    const help = await command(name, '--help')
    expect(help).toMatchObject({ code: 0, err: '' })
    expect(help.out).toContain(meta.description)
    expect(await command('help', name)).toEqual(help)
  }
  expect((await command('--help')).out).not.toContain(String.fromCharCode(27))
  expect(await command('help', 'destroy')).toMatchObject({ code: 2, out: '' })
  expect(await command('statu')).toMatchObject({ code: 2, err: expect.stringContaining('status meant?') })
  for (const args of [['statu'], ['status', '--verbos'], ['tail', '--last', 'many'], ['can', 'ada']]) {
    const ran = await command(...args, '--json')
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(JSON.parse(ran.err)).toMatchObject({ error: { code: 'usage', message: expect.any(String), hint: expect.any(String) } })
  }
})
