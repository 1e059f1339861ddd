// In the repository: the command line straight from its source.
import { main } from './main.ts'

await main(process.argv.slice(2))
