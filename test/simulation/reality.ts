// What a process has that is not the same twice, and no port leads to: PGlite asks JavaScript for the time and for chance. From here on it gets the world's.
import nodeCrypto from 'node:crypto'

/** Milliseconds of the machine's own clock, for figures about the run itself. */
export const realMs: () => number = performance.now.bind(performance)

/** Takes the place of the process's clock and chance, for good. */
export function takeReality(now: () => number, fill: (bytes: Uint8Array) => void): void {
  Date.now = now
  performance.now = now
  Object.assign(nodeCrypto, {
    randomFillSync: (bytes: Uint8Array) => {
      fill(bytes)
      return bytes
    },
  })
}
