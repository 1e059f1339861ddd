// The part of the build that makes the service worker know what it keeps.
import { createHash } from 'node:crypto'
import type { Plugin } from 'vite'

/** Puts into `sw.js` what the build has made: all files, and a version that follows from them. `publicFiles`: those that are copied as they are, by their names. */
export function shell(publicFiles: readonly string[]): Plugin {
  return {
    name: 'codecraft-shell',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const worker = bundle['sw.js']
        if (worker?.type !== 'chunk') throw new Error('The build made no sw.js.')
        const built = Object.values(bundle).filter((one) => one !== worker)
        const contents = built.map((one) => `${one.fileName} ${one.type === 'chunk' ? one.code : one.source}`).sort()
        const version = createHash('sha256').update(contents.join('\n')).digest('hex').slice(0, 16)
        const files = ['/', ...built.map((one) => `/${one.fileName}`).filter((path) => path !== '/index.html'), ...publicFiles.map((name) => `/${name}`)]
        worker.code = `const SHELL=${JSON.stringify({ version, files })};${worker.code}`
      },
    },
  }
}
