import { readFileSync } from 'node:fs'

/** Of this package; `bundled` in a server that its app's bundler has made one file of. Read from here: built, this module is one level below it as well. */
export const version: string = readVersion()

function readVersion(): string {
  try {
    return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
  } catch {
    return 'bundled'
  }
}
