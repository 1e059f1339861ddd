// What can happen to a database, each kind as a program, with what has to become of it: found before anything is served from it or written to it, or harmless.
import { cp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openEmbedded, openPostgres } from '@headwater/server'
import { initdbArguments } from '../../packages/server/src/database/native/cluster.ts'
import { startSilentProxy } from '../harness/silent-proxy.ts'
import type { Cluster, Ground, Settings } from './cluster.ts'
import { createWorld, type Found, type World } from './world.ts'

export interface Trial {
  readonly ground: Ground
  /** A number from 0 to 1. */
  readonly chance: () => number
}

export interface Kind {
  readonly name: string
  /** Its programs come with an installed PostgreSQL alone. */
  readonly isComplete?: boolean
  /** `found`: held, always. `harmless`: served, always. `either`: served only if nothing that was promised is missing. */
  readonly expected: 'found' | 'harmless' | 'either'
  readonly run: (trial: Trial) => Promise<Found>
}

/** null: as it has to be. */
export function wrongOf({ expected }: Kind, { held, missing, written, isBack }: Found): string | null {
  if (written > 0) return `${written} rows were written to it before it was found`
  if (isBack === false) return 'what was lost did not come back'
  if (expected === 'found' && held === null) return `it was served, with ${missing} promises missing`
  if (expected === 'harmless' && held !== null) return `a false alarm: ${held}`
  return held === null && missing > 0 ? `it was served, with ${missing} promises missing` : null
}

const some = (chance: () => number, most: number) => 1 + Math.floor(chance() * most)

/** A server on a cluster behind a proxy, with a device that has written something. */
async function begin({ ground, chance }: Trial, settings: Settings = {}, version?: number) {
  const cluster = await ground.create(version)
  await cluster.start(settings)
  const proxy = await startSilentProxy(cluster.port)
  const url = `postgres://postgres@127.0.0.1:${new URL(proxy.url).port}/app`
  const state = await ground.folder('state')
  const open = () => openPostgres(url)
  const world = createWorld({ open, openBeside: open, stateDirectory: () => state })
  await world.start()
  await world.work(some(chance, 20))
  /** The proxy leads elsewhere, and what was open is over. */
  const lead = (to: Cluster) => {
    proxy.cut()
    proxy.target(to.port)
    proxy.heal()
  }
  const end = async () => {
    await world.close()
    await proxy.close()
    await cluster.stop('SIGKILL')
  }
  return { cluster, world, lead, end }
}

type Begun = Awaited<ReturnType<typeof begin>>

/** Runs the trial, and stops what it has started. */
const onCluster =
  (happen: (begun: Begun, trial: Trial) => Promise<void>, settings: (trial: Trial) => Promise<Settings> = async () => ({}), version?: number) =>
  async (trial: Trial): Promise<Found> => {
    const begun = await begin(trial, await settings(trial), version)
    try {
      await happen(begun, trial)
      return await begun.world.find()
    } finally {
      await begun.end()
    }
  }

/** What happens to the database happens to a server that runs, or to one that is started after it. */
async function during({ chance }: Trial, world: World, happen: () => Promise<void>): Promise<void> {
  const isRunning = chance() < 0.5
  if (!isRunning) await world.stopServer()
  await happen()
  if (!isRunning) await world.start()
}

const restart = onCluster(async ({ cluster, world }, trial) => {
  await during(trial, world, async () => {
    await cluster.stop(trial.chance() < 0.5 ? 'SIGINT' : 'SIGKILL')
    await cluster.start()
  })
})

/** Commits that nobody waits for are taken back by a crash: none that a device was told of. */
const crash = onCluster(
  async ({ cluster, world }, trial) => {
    world.workOn(some(trial.chance, 60))
    await new Promise((resolve) => setTimeout(resolve, trial.chance() * 150))
    await cluster.stop('SIGKILL')
    await cluster.start(lazy)
  },
  async () => lazy,
)
const lazy = { synchronous_commit: 'off', wal_writer_delay: '10s' }

const fork = onCluster(async ({ cluster, world, lead }, trial) => {
  await world.stopServer()
  await cluster.stop()
  const other = await trial.ground.copy(cluster)
  await cluster.start()
  await world.start()
  await world.work(some(trial.chance, 20))
  await other.start()
  // It goes on as well, and may well have more transactions by now.
  for (let n = Math.floor(trial.chance() * 200); n > 0; n -= 50) await other.sql('select pg_current_xact_id()')
  if (trial.chance() < 0.5) await other.sql(`insert into projects (id, owner_id, title) select gen_random_uuid(), 'ada', 'forked' from generate_series(1, 100)`)
  await during(trial, world, async () => lead(other))
})

const restore = onCluster(async ({ cluster, world }, trial) => {
  await world.stopServer()
  await cluster.stop()
  const backup = await trial.ground.copy(cluster)
  await cluster.start()
  await world.start()
  await world.work(some(trial.chance, 20))
  await during(trial, world, async () => {
    await cluster.stop(trial.chance() < 0.5 ? 'SIGINT' : 'SIGKILL')
    await trial.ground.putBack(cluster, backup)
    await cluster.start()
  })
})

const swap = onCluster(async ({ world, lead }, trial) => {
  const other = await begin(trial)
  await other.world.close()
  await during(trial, world, async () => lead(other.cluster))
})

/** A copy of a server that runs, as its own tools would take it. */
async function baseCopy(ground: Ground, cluster: Cluster): Promise<Cluster> {
  const [start, stop] = ground.binaries.version < 15 ? ['pg_start_backup', 'pg_stop_backup'] : ['pg_backup_start', 'pg_backup_stop']
  const { default: postgres } = await import('postgres')
  const session = postgres(`postgres://postgres@127.0.0.1:${cluster.port}/postgres`, { max: 1, onnotice: () => undefined })
  try {
    await session.unsafe(`select ${start}('trial', true)`)
    const copy = await ground.copy(cluster)
    const [label] = await session.unsafe(`select labelfile from ${stop}(false)`)
    await copy.write('backup_label', String(label?.labelfile))
    return copy
  } finally {
    await session.end()
  }
}

const until = async (what: string, isSo: () => Promise<boolean>) => {
  for (const giveUpAt = performance.now() + 30_000; !(await isSo()); ) {
    if (performance.now() > giveUpAt) throw new Error(`never ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Half of the time the standby has everything, and the other half it lacks the end. */
const standby = onCluster(async ({ cluster, world, lead }, trial) => {
  const other = await baseCopy(trial.ground, cluster)
  await other.write('standby.signal', '')
  await other.start({ primary_conninfo: `host=127.0.0.1 port=${cluster.port} user=postgres`, hot_standby: 'on' })
  const isLevel = async () => {
    const [end] = await cluster.sql('select pg_current_wal_lsn()::text as lsn')
    const [reached] = await other.sql(`select pg_last_wal_replay_lsn() >= '${String(end?.lsn)}'::pg_lsn as level`)
    return reached?.level === true
  }
  await until('level', isLevel)
  if (trial.chance() < 0.6) {
    // From here on it hears nothing.
    await other.stop()
    await other.start({ primary_conninfo: '', hot_standby: 'on' })
    await world.work(some(trial.chance, 20))
  } else {
    await world.work(some(trial.chance, 20))
    await until('level', isLevel)
  }
  await during(trial, world, async () => {
    await cluster.stop('SIGKILL')
    lead(other)
    await new Promise((resolve) => setTimeout(resolve, trial.chance() * 300))
    await other.sql('select pg_promote()')
    await until('promoted', async () => (await other.sql('select pg_is_in_recovery() as standby'))[0]?.standby === false)
  })
})

const archives = new WeakMap<Ground, string>()

const moment = onCluster(
  async ({ cluster, world, lead }, trial) => {
    const archive = archives.get(trial.ground) ?? ''
    const base = await baseCopy(trial.ground, cluster)
    await world.work(some(trial.chance, 20))
    await cluster.sql(`select pg_create_restore_point('here')`)
    const isLost = trial.chance() < 0.7
    if (isLost) await world.work(some(trial.chance, 20))
    await world.stopServer()
    await cluster.sql('select pg_switch_wal()')
    await cluster.stop()
    await base.write('recovery.signal', '')
    await base.start({ restore_command: `cp ${archive}/%f %p`, recovery_target_name: 'here', recovery_target_action: 'promote' })
    await until('promoted', async () => (await base.sql('select pg_is_in_recovery() as standby'))[0]?.standby === false)
    lead(base)
    await world.start()
  },
  async ({ ground }) => {
    const archive = await ground.folder('archive')
    archives.set(ground, archive)
    return { archive_mode: 'on', archive_command: `cp %p ${archive}/%f` }
  },
)

const connection = (cluster: Cluster) => ['-h', '127.0.0.1', '-p', String(cluster.port), '-U', 'postgres']

/** From one major version to another, where they are given. */
const dumpFrom = (from?: number, to?: number) =>
  onCluster(
    async ({ cluster, world, lead }, trial) => {
      const file = join(await trial.ground.folder('dump'), 'app.dump')
      await world.stopServer()
      await trial.ground.run('pg_dump', [...connection(cluster), '-Fc', '-f', file, 'app'])
      const other = await trial.ground.create(to)
      await other.start()
      // Roles are not in the dump of a database.
      await other.sql('create role headwater_capture nologin')
      await trial.ground.run('pg_restore', [...connection(other), '-d', 'app', file])
      lead(other)
      await world.start()
    },
    undefined,
    from,
  )

/** What changes the number of the system and of its timeline, and nothing else. */
const upgrade = onCluster(async ({ cluster, world, lead }, trial) => {
  const { ground } = trial
  await world.stopServer()
  await cluster.stop()
  const path = await ground.folder('upgraded')
  await ground.run('initdb', ['-D', path, '-U', 'postgres', '--encoding', 'UTF8', '--locale', 'C', '--auth', 'trust', '--no-sync'])
  const bin = ground.binaries.folder
  await ground.run('pg_upgrade', ['-b', bin, '-B', bin, '-d', cluster.data, '-D', path, '-U', 'postgres', '-s', '/tmp'])
  await ground.putBack(cluster, { ...cluster, data: path })
  await cluster.start()
  lead(cluster)
  await world.start()
})

/**
 * From npm's 14 to the installed version, by its pg_upgrade. That asks programs of the old version what the old files are, and npm has none of them. From 13 to 16 the file that
 * they read has one form: the installed ones read it where they are shown the folder with their own number on it.
 */
const upgradeMajor = onCluster(
  async ({ cluster, world, lead }, { ground }) => {
    const { folder, version } = ground.binaries
    if (version > 16) throw new Error(`pg_upgrade of ${version} needs programs of 14 that npm does not have.`)
    await world.stopServer()
    await cluster.stop()
    const [path, old] = [await ground.folder('upgraded'), await ground.folder('old-programs')]
    for (const program of ['postgres', 'pg_ctl']) await symlink(join(cluster.binaries.folder, program), join(old, program))
    await symlink(join(folder, 'pg_controldata'), join(old, 'pg_controldata'))
    await writeFile(join(old, 'pg_resetwal'), resetwal(folder, version), { mode: 0o755 })
    await ground.run('initdb', [...initdbArguments(path, ground.binaries), '--auth', 'trust', '--no-sync'])
    await ground.run('pg_upgrade', ['-b', old, '-B', folder, '-d', cluster.data, '-D', path, '-U', 'postgres', '-s', '/tmp'])
    const upgraded = await ground.at(path)
    await upgraded.start()
    lead(upgraded)
    await world.start()
  },
  undefined,
  14,
)

/** With `-n` it only says what it reads. */
const resetwal = (folder: string, version: number) => `#!/bin/sh
[ "$1" = -n ] || exec '${folder}/pg_resetwal' "$@"
shown=$(mktemp -d) && chmod 700 "$shown" && ln -s "$2"/* "$shown" && rm "$shown/PG_VERSION" && echo ${version} > "$shown/PG_VERSION" || exit 1
'${folder}/pg_resetwal' -n "$shown"
ended=$?
rm -r "$shown"
exit $ended
`

/** An embedded database in a folder of an app, with what is remembered of it beside it. */
async function inFolder(
  trial: Trial,
  happen: (paths: { readonly app: string; readonly world: World; moveTo(app: string): void }) => Promise<void>,
): Promise<Found> {
  let app = await trial.ground.folder('app')
  const open = () => openEmbedded({ directory: join(app, 'database'), durable: false })
  let isOpen = false
  const world = createWorld({
    open,
    // An embedded database has one process: the decision is made through the server's own sessions of before.
    openBeside: async () => {
      if (!isOpen) return open()
      const { database } = world.server()
      database.guard(async () => {})
      return { ...database, close: async () => {} }
    },
    stateDirectory: () => app,
  })
  try {
    await world.start()
    await world.work(some(trial.chance, 10))
    await happen({
      app,
      world,
      moveTo: (next) => {
        app = next
      },
    })
    isOpen = true
    await world.start()
    return await world.find()
  } finally {
    await world.close()
    await rm(app, { recursive: true, force: true })
  }
}

const embeddedCopy = (trial: Trial) =>
  inFolder(trial, async ({ app, world, moveTo }) => {
    await world.stopServer()
    await cp(app, `${app}-copy`, { recursive: true })
    moveTo(`${app}-copy`)
    await rm(app, { recursive: true })
  })

const embeddedRestore = (trial: Trial) =>
  inFolder(trial, async ({ app, world }) => {
    const database = join(app, 'database')
    await world.stopServer()
    await cp(database, `${database}-backup`, { recursive: true })
    await world.start()
    await world.work(some(trial.chance, 10))
    await world.stopServer()
    await rm(database, { recursive: true })
    await cp(`${database}-backup`, database, { recursive: true })
  })

const embeddedRestart = (trial: Trial) => inFolder(trial, ({ world }) => world.stopServer())

export const kinds: readonly Kind[] = [
  { name: 'restart', expected: 'harmless', run: restart },
  { name: 'crash', expected: 'harmless', run: crash },
  { name: 'fork', expected: 'found', run: fork },
  { name: 'restore', expected: 'found', run: restore },
  { name: 'swap', expected: 'found', run: swap },
  { name: 'standby', expected: 'either', run: standby },
  { name: 'moment', expected: 'either', run: moment },
  { name: 'dump', expected: 'found', isComplete: true, run: dumpFrom() },
  { name: 'dump-14-18', expected: 'found', isComplete: true, run: dumpFrom(14, 18) },
  { name: 'dump-15-18', expected: 'found', isComplete: true, run: dumpFrom(15, 18) },
  { name: 'dump-14-15', expected: 'found', isComplete: true, run: dumpFrom(14) },
  { name: 'upgrade', expected: 'harmless', isComplete: true, run: upgrade },
  { name: 'upgrade-14', expected: 'harmless', isComplete: true, run: upgradeMajor },
  { name: 'embedded-restart', expected: 'harmless', run: embeddedRestart },
  { name: 'embedded-copy', expected: 'found', run: embeddedCopy },
  { name: 'embedded-restore', expected: 'found', run: embeddedRestore },
]
