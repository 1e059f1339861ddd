// npm run freeze-client NAME: writes the client as it is now, with the app of test/harness/frozen-app.ts, to test/fixtures/client-NAME.txt. It is
// run against every later server (test/pg/frozen.test.ts), so a file that is released is never written again.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [name] = process.argv.slice(2)
const outfile = `${root}test/fixtures/client-${name}.txt`
if (!name) throw new Error('Say what it is called: npm run freeze-client 0.1.0')
if (existsSync(outfile)) throw new Error(`${outfile} is there: delete it first, if no device has it.`)

await build({
  entryPoints: [`${root}test/harness/frozen-app.ts`],
  outfile,
  bundle: true,
  minify: true,
  charset: 'utf8',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@headwater/source'],
})
