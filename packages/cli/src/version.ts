import { readFileSync } from 'node:fs'

/** Of this package, and of those that are published with it. */
export const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
