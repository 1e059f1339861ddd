import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutants } from '../simulation/options.ts'
import { faultNames } from '../simulation/plan.ts'
import { workloadNames } from '../simulation/workloads/workloads.ts'

const root = join(import.meta.dirname, '../..')

test('every planted bug has a name of its own and fits into the code as it is', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  const misfits = mutants.filter(({ file, also = [], ...first }) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [first, ...also].some(({ find, replace }) => text.split(find).length !== 2 || find === replace)
  })
  expect(misfits.map(({ name }) => name)).toEqual([])
})

test('the page on what is promised says of every planted bug what became of it', () => {
  const page = readFileSync(join(root, 'docs/promises.md'), 'utf8')
  const untold = mutants.filter(({ name, found }) => !page.includes(`\n| ${name}${found ? ` (${found})` : ''} | `))
  expect(untold.map(({ name }) => name)).toEqual([])
  expect(page).not.toContain('| not tried |')
})

test('every planted bug is looked for in an app and among faults that there are', () => {
  const aims = mutants.flatMap(({ only }) => (only ? [only] : []))
  expect(aims.filter(({ workload = '', faults = [] }) => !workloadNames.includes(workload) || faults.some((name) => !faultNames.includes(name)))).toEqual([])
})
