import { defineConfig } from 'vitest/config'

// Packages are tested as source: `@headwater/source` is the condition in each package's `exports` that points there.
const conditions = ['@headwater/source']
/** One real PostgreSQL for the whole run. */
const globalSetup = ['test/harness/global-setup.ts']

export default defineConfig({
  resolve: { conditions: [...conditions, 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: [...conditions, 'module', 'node', 'development|production'], externalConditions: conditions } },
  // What sets up a whole run is loaded by an environment of its own.
  environments: { __vitest__: { resolve: { conditions: [...conditions, 'module', 'node', 'development|production'], externalConditions: conditions } } },
  test: {
    pool: 'forks',
    // A third of the time of these tests is waiting: for a flush, a timer, a process that starts.
    maxWorkers: 3,
    // Machines of CI are slow and shared; a test that hangs is found all the same.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000, interval: 20 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.{ts,tsx}', 'test/unit/**/*.test.ts', 'scripts/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
        },
      },
      { extends: true, test: { name: 'contracts', include: ['test/contracts/**/*.test.ts'], globalSetup, testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: 'pg', include: ['test/pg/**/*.test.ts', 'test/simulation/**/*.test.ts'], globalSetup, testTimeout: 120_000 },
      },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], globalSetup, maxWorkers: 2, testTimeout: 120_000 },
      },
    ],
  },
})
