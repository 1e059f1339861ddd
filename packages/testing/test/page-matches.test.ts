import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

test.each([
  ['testing.md', 'page.test.ts', 1],
  ['migrations.md', 'migrations-page.test.ts', 3],
  ['scopes.md', 'scopes-page.test.ts', 10],
  ['queries.md', 'queries-page.test.ts', 9],
])('what docs/%s shows is part of %s, which runs here', (page, tests, count) => {
  const blocks = [...read(`../../../docs/${page}`).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block)
  expect(blocks).toHaveLength(count)
  for (const block of blocks) expect(read(tests)).toContain(block)
})
