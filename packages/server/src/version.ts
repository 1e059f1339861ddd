import { readFileSync } from 'node:fs'

/** Of this package. Read from here: built, this module is one level below it as well. */
export const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
