import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

test('the tests that docs/testing.md shows are the ones that run here', () => {
  expect(read('../../../docs/testing.md')).toContain(`\`\`\`ts\n${read('page.test.ts')}\`\`\`\n`)
})
