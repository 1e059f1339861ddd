// The process of one benchmark: runs it by its name and hands its figures to the parent.
import { benchmarks } from './benchmarks.ts'

const run = benchmarks[process.argv[2] ?? '']
if (run === undefined) throw new Error(`There is no benchmark ${process.argv[2]}.`)
process.on('disconnect', () => process.exit(1))
const figures = await run()
process.send?.(figures, () => process.exit(0))
