// The import directions are oxlint's to check (.oxlintrc.json). Here each of them is broken once, in a folder of its own, to see that it bites.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'headwater-imports-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const allowed: readonly (readonly [string, string])[] = [
  ['schema/src', '@headwater/protocol'],
  ['client/src', '@headwater/schema'],
  ['client/src/outbox', '../store/row.ts'],
  ['client/src/sync', '../outbox/entry.ts'],
  ['client/src/disk', '../ports.ts'],
  ['react/src', 'react'],
  ['react/src', '@headwater/client'],
  ['cli/src', '@headwater/server'],
  ['testing/src', '@headwater/server'],
  ['testing/src', '@headwater/client/node'],
  ['server/src/database', 'node:net'],
  ['server/src/session', '../mutate/run.ts'],
  ['server/src/scopes', '../feed/log.ts'],
]
const forbidden: readonly (readonly [string, string])[] = [
  ['protocol/src', 'zod'],
  ['protocol/src/up', 'node:fs'],
  ['protocol/src', '@headwater/schema'],
  ['schema/src', '@headwater/client'],
  ['schema/src', 'node:fs'],
  ['schema/src', './index.ts'],
  ['schema/src', '../../protocol/src/json.ts'],
  ['client/src', '@headwater/server'],
  ['client/src', 'node:fs'],
  ['client/src/store', '../outbox/entry.ts'],
  ['client/src/store', '../index.ts'],
  ['client/src/outbox', '../sync/sync.ts'],
  ['client/src/sync', '../client.ts'],
  ['client/src/disk', '../store/row.ts'],
  ['react/src', '@headwater/server'],
  ['cli/src', '@headwater/client'],
  ['testing/src', 'vitest'],
  ['testing/src', '@headwater/react'],
  ['server/src', '@headwater/testing'],
  ['client/src', '@headwater/testing'],
  ['server/src', '@headwater/client'],
  ['server/src', '@headwater/schema/src/value.ts'],
  ['server/src/database', '../feed/log.ts'],
  ['server/src/sql', '../feed/log.ts'],
  ['server/src/feed', '../scopes/hub.ts'],
  ['server/src/scopes', '../mutate/run.ts'],
  ['server/src/mutate', '../session/session.ts'],
  ['server/src/session', '../server.ts'],
  ['server/src/transport', '../session/session.ts'],
  ['server/src/explain', '../mutate/run.ts'],
]

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const importing = (from: string) => `import { z } from '${from}'\nexport const used = z\n`

/** What oxlint says of the files, as `rule path`, in the order of the paths. */
function findings(): readonly string[] {
  cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--format', 'json'], { cwd: folder, encoding: 'utf8' })
  const { diagnostics }: { readonly diagnostics: readonly { readonly code: string; readonly filename: string }[] } = JSON.parse(stdout)
  return diagnostics.map(({ code, filename }) => `${code} ${filename}`).sort()
}

test('imports point down: every forbidden direction is found, no allowed one is, and neither is a circle overlooked', () => {
  for (const [i, [place, from]] of allowed.entries()) write(`packages/${place}/allowed${i}.ts`, importing(from))
  for (const [i, [place, from]] of forbidden.entries()) write(`packages/${place}/forbidden${i}.ts`, importing(from))
  write('packages/cli/src/one.ts', "import { two } from './two.ts'\nexport const one = () => two\n")
  write('packages/cli/src/two.ts', "import { one } from './one.ts'\nexport const two = () => one\n")
  const circle = ['import(no-cycle) packages/cli/src/one.ts', 'import(no-cycle) packages/cli/src/two.ts']
  const directions = forbidden.map(([place], i) => `eslint(no-restricted-imports) packages/${place}/forbidden${i}.ts`)
  expect(findings()).toEqual([...circle, ...directions].sort())
})
