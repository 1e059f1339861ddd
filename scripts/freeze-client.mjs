// npm run freeze-client NAME: writes the client as it is now, with the app of test/harness/frozen-app.ts, to test/fixtures/client-NAME.txt, and a tab of a
// browser, of test/harness/frozen-tab.ts, to tab-NAME.txt. They are run against every later server (test/pg/frozen.test.ts) and beside every later build
// (packages/client/test/builds.test.ts, test/e2e/tabs.test.ts), so a file that is there is never written again.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [name] = process.argv.slice(2)
if (!name) throw new Error('Say what it is called: npm run freeze-client 0.1.0')

for (const [file, entry, platform] of [
  [`client-${name}.txt`, 'frozen-app.ts', 'node'],
  [`tab-${name}.txt`, 'frozen-tab.ts', 'browser'],
]) {
  const outfile = `${root}test/fixtures/${file}`
  if (existsSync(outfile)) {
    process.stdout.write(`${file} is there: delete it first, if no device has it.\n`)
    continue
  }
  await build({
    entryPoints: [`${root}test/harness/${entry}`],
    outfile,
    bundle: true,
    minify: true,
    charset: 'utf8',
    format: 'esm',
    platform,
    target: platform === 'node' ? 'node20' : 'es2022',
    conditions: ['@headwater/source'],
  })
}
