// npm run bench: runs the benchmarks, each in a process of its own, one after the other, and compares their ratios with goals.json.
// npm run bench -- first-load memory: these alone. --json: one line of JSON instead of the table. Exits 1 beyond a goal or when a
// benchmark fails, 2 if it was called wrongly.
import { fork } from 'node:child_process'
import { oneOf, readOptions } from '../test/harness/options.ts'
import { buildAll } from './build.ts'
import type { Figure } from './figure.ts'
import { judge, readGoals } from './goals.ts'
import { profiling } from './server-process.ts'
import { tableOf } from './table.ts'

/** HEADWATER_BENCH_ROWS and its like make some of them longer. */
const minutesMax = Number(process.env.HEADWATER_BENCH_MINUTES ?? 3)

async function main(): Promise<number> {
  const goals = readGoals()
  const names = [...new Set(Object.values(goals).map(({ benchmark }) => benchmark))]
  const { values, rest } = readOptions({
    name: 'npm run bench',
    does: 'the benchmarks, each in a process of its own, compared with goals.json',
    options: { json: { says: 'one line of JSON instead of the table' } },
    rest: oneOf(names),
  })
  const asked = rest.length > 0 ? names.filter((name) => rest.includes(name)) : names
  const built = await buildAll()
  const figures: Figure[] = []
  const failures: string[] = []
  try {
    for (const name of asked) {
      const start = performance.now()
      const answer = await runOne(built.child, name)
      if (answer === null) failures.push(name)
      figures.push(...(answer ?? []))
      process.stderr.write(`${name}: ${answer === null ? 'failed' : 'measured'} in ${((performance.now() - start) / 1_000).toFixed(0)} s\n`)
    }
  } finally {
    await built.remove()
  }
  const judged = judge(
    figures,
    goals,
    asked.filter((name) => !failures.includes(name)),
  )
  process.stdout.write(values.json ? `${JSON.stringify({ figures: judged, failures })}\n` : `\n${tableOf(judged)}\n`)
  return failures.length > 0 || judged.some(({ isMissed }) => isMissed) ? 1 : 0
}

/** null: it failed, and has said why on its own. What it prints goes to the error stream, so that the output is the result alone. */
function runOne(program: string, name: string): Promise<readonly Figure[] | null> {
  const child = fork(program, [name], { execArgv: ['--expose-gc', ...profiling()], stdio: ['ignore', 2, 2, 'ipc'] })
  const timer = setTimeout(() => {
    process.stderr.write(`${name} took more than ${minutesMax} minutes.\n`)
    child.kill('SIGKILL')
  }, minutesMax * 60_000)
  return new Promise((resolve) => {
    let figures: readonly Figure[] | null = null
    child.on('message', (message) => {
      // Our own program sends nothing else.
      figures = message as readonly Figure[]
    })
    child.on('exit', (code) => {
      clearTimeout(timer)
      resolve(code === 0 ? figures : null)
    })
  })
}

process.exitCode = await main()
