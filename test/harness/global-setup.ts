// One PostgreSQL for a whole run of the tests: it is started before the first file and removed after the last.
import type { TestProject } from 'vitest/node'
import { type Native, startNative } from './native.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the shared server's database `postgres`. Tests make databases of their own on it, and never stop it. */
    nativeUrl: string
  }
}

interface Shared {
  readonly native: Promise<Native>
  users: number
}

/** Every project of the run calls this file, with a copy of the module of its own. */
const registry = globalThis as typeof globalThis & { headwaterNative?: Shared }

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Tests of the server's durability start one of their own.
  registry.headwaterNative ??= { native: startNative({ durable: false }), users: 0 }
  const shared = registry.headwaterNative
  shared.users++
  const native = await shared.native
  project.provide('nativeUrl', native.url('postgres'))
  return async () => {
    shared.users--
    if (shared.users > 0) return
    delete registry.headwaterNative
    await native.stop()
  }
}
