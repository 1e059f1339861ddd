// What `npm run simulate` can be told: read by scripts/simulate.ts, which starts the processes, and by run.ts, which each of them runs.
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { amount, type Command, matching, oneOf, seeds, someOf, whole } from '../harness/options.ts'
import { faultNames } from './plan.ts'
import { workloadNames } from './workloads/workloads.ts'

export interface Patch {
  readonly find: string
  readonly replace: string
}

/** A planted bug: what stands in the place of what in a shipped file. */
export interface Mutant extends Patch {
  readonly name: string
  readonly file: string
  /** Where it was really found once. */
  readonly found?: string
  /** Why nothing here finds it. */
  readonly why?: string
  /** What else has to be different in the same file, where two things guard against the same. */
  readonly also?: readonly Patch[]
  /** Where it can show. */
  readonly only?: { readonly workload?: string; readonly faults?: readonly string[]; readonly database?: 'native'; readonly tabs?: number }
}

/** What a process that runs seeds says of itself, beside what it prints. */
export interface Told {
  readonly begins?: { readonly name: string; readonly seed?: number }
  readonly ran?: { readonly events: number; readonly mutations: number; readonly checkers: readonly string[] }
  readonly over?: true
}

/** What was found once, as small as it gets. */
export const seedsFolder = 'test/simulation/seeds'
const plans = readdirSync(seedsFolder).map((file) => basename(file, '.json'))

/** The command runs in the root of the repository. It is written by hand, in this form: test/unit/mutants.test.ts. */
export const mutants = JSON.parse(readFileSync('test/simulation/mutants.json', 'utf8')) as readonly Mutant[]

const mutant = matching('NAME', 'a part of the name of a bug in test/simulation/mutants.json', (text) => mutants.some(({ name }) => name.includes(text)))

const options = {
  seeds: { takes: whole(0), says: 'so many seeds; without, 20, of planted bugs 60, and with --minutes as many as there is time for' },
  from: { takes: whole(0), says: 'the first of them', default: 1 },
  every: { takes: whole(1), says: 'every so-many-th of them', default: 1 },
  minutes: { takes: amount, says: 'for so long at most' },
  seed: { takes: seeds, says: 'this one, or these, each with its plan in words' },
  trace: { says: 'everything that happens, line by line' },
  shrink: { says: 'cuts the plan down to what it takes for the same to be found', needs: 'seed' },
  keep: {
    takes: matching('NAME', 'a name of small letters, figures and dashes', (text) => /^[a-z0-9-]+$/.test(text)),
    says: 'puts that plan into test/simulation/seeds, to be replayed for good',
    needs: 'shrink',
  },
  kept: { says: 'replays what is kept there, before everything else' },
  plan: { takes: oneOf(plans), says: 'replays this one of them alone, with its plan in words' },
  workload: { takes: oneOf(workloadNames), says: 'this app in every seed' },
  faults: { takes: someOf(faultNames, { mayBeNone: true }), says: 'exactly these faults in every seed' },
  partitions: { says: 'small plans, in which networks alone fail' },
  tabs: { takes: whole(1), says: 'devices have so many tabs at most, in every seed; 1: none has several' },
  first: { says: 'ends with the first seed that something is found in' },
  database: {
    takes: oneOf(['pglite', 'native']),
    says: 'native: a real PostgreSQL with sessions at once, of which no run is twice the same; its own, or the one at HEADWATER_NATIVE_URL',
    default: 'pglite',
  },
  workers: { takes: whole(1), says: 'so many processes, which share the seeds', default: 1 },
  patience: { takes: amount, says: 'a seed that takes longer than so many seconds is given up, which is a finding', default: 300 },
  with: { takes: mutant, says: 'with this planted bug' },
  mutants: { says: 'looks for every planted bug in the seeds, and says what found it' },
  only: { takes: mutant, says: 'these of them', default: '', needs: 'mutants' },
  write: { says: 'writes their table in docs/promises.md', needs: 'mutants' },
} as const

export const command = {
  name: 'npm run simulate',
  does: 'devices, servers and a database in one process on virtual time, with faults, judged by what must always hold (docs/promises.md)',
  options,
} satisfies Command<typeof options>
