// What happens to a random app: SQL by transactions, mutations by devices, grants that come and go, connections that break.
import type { Database, Transaction } from '@headwater/server'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'
import { type GeneratedApp, people, roles, type Thing } from './app.ts'
import type { WatchedDevice } from './device.ts'
import type { Row } from './past.ts'
import type { Random } from './random.ts'
import type { Made } from './rules.ts'

export interface Work {
  /** One thing that happens. Resolves when it has, or, on a device, when it is shown. */
  step(): Promise<void>
  /** By the id of the mutation. */
  readonly made: ReadonlyMap<string, Made>
}

interface Ids {
  readonly teams: readonly string[]
  readonly projects: readonly string[]
  readonly companies: readonly string[]
}

export function createWork(app: GeneratedApp, database: Database, devices: readonly WatchedDevice[], random: Random): Work {
  const ids: Ids = {
    teams: Array.from({ length: 3 }, random.uuid),
    projects: Array.from({ length: 5 }, random.uuid),
    companies: ['acme', 'umbrella'],
  }
  // Every text that is ever written is one of its kind, so that any of them is recognised wherever it turns up.
  let texts = 0
  const canary = () => `§${++texts}§`
  const known = new Map<string, string[]>(app.things.map(({ name }) => [name, []]))

  const drawn = (column: string): string | null => {
    if (column === 'ownerId') return random.is(0.2) ? null : random.pick(people)
    if (column === 'teamId') return random.is(0.3) ? null : random.pick(ids.teams)
    if (column === 'projectId') return random.is(0.3) ? null : random.pick(ids.projects)
    return random.is(0.3) ? null : random.pick(ids.companies)
  }
  const casts: Readonly<Record<string, string>> = { id: '::uuid', teamId: '::uuid', projectId: '::uuid' }
  const bind = (column: string, i: number) => `$${i}::text${casts[column] ?? ''}`

  async function writeThing(transaction: Transaction, { name, links }: Thing): Promise<void> {
    const mine = known.get(name) ?? []
    if (mine.length === 0 || random.is(0.4)) {
      const id = random.uuid()
      mine.push(id)
      const columns = ['id', ...links.map(({ column }) => column), 'note', 'secret']
      const values = [id, ...links.map(({ column }) => drawn(column)), canary(), canary()]
      const sql = `insert into ${name} (${columns.map(snakeCase).join(', ')}) values (${columns.map((column, i) => bind(column, i + 1)).join(', ')})`
      await transaction.query(sql, values)
    } else if (random.is(0.15)) await transaction.query(`delete from ${name} where id = $1::text::uuid`, [random.pick(mine)])
    else {
      const column = random.pick([...links.map((link) => link.column), 'note', 'secret'])
      const value = column === 'note' || column === 'secret' ? canary() : drawn(column)
      await transaction.query(`update ${name} set ${snakeCase(column)} = ${bind(column, 2)} where id = $1::text::uuid`, [random.pick(mine), value])
    }
  }

  const grantWrites: readonly ((transaction: Transaction) => Promise<unknown>)[] = [
    (transaction) =>
      transaction.query(
        `insert into members (team_id, user_id, role, note) values ($1::text::uuid, $2, $3, $4) on conflict (team_id, user_id) do update set role = excluded.role`,
        [random.pick(ids.teams), random.pick(people), random.pick(roles), canary()],
      ),
    (transaction) => transaction.query('delete from members where team_id = $1::text::uuid and user_id = $2', [random.pick(ids.teams), random.pick(people)]),
    (transaction) => transaction.query('update projects set team_id = $2::text::uuid where id = $1::text::uuid', [random.pick(ids.projects), drawn('teamId')]),
    (transaction) => transaction.query('update projects set owner_id = $2 where id = $1::text::uuid', [random.pick(ids.projects), drawn('ownerId')]),
    (transaction) => transaction.query('update teams set company_id = $2 where id = $1::text::uuid', [random.pick(ids.teams), drawn('companyId')]),
    (transaction) =>
      transaction.query(`insert into teams (id, company_id, note) values ($1::text::uuid, $2, $3) on conflict do nothing`, [
        random.pick(ids.teams),
        drawn('companyId'),
        canary(),
      ]),
    (transaction) =>
      transaction.query(`insert into projects (id, owner_id, team_id, note) values ($1::text::uuid, $2, $3::text::uuid, $4) on conflict do nothing`, [
        random.pick(ids.projects),
        drawn('ownerId'),
        drawn('teamId'),
        canary(),
      ]),
    (transaction) => transaction.query('delete from projects where id = $1::text::uuid', [random.pick(ids.projects)]),
  ]

  class Undone extends Error {}

  async function transact(): Promise<void> {
    const isUndone = random.is(0.1)
    const count = 1 + random.int(4)
    try {
      await database.transaction('write', async (transaction) => {
        for (let i = 0; i < count; i++) {
          if (random.is(0.4)) await random.pick(grantWrites)(transaction)
          else if (random.is(0.02)) await transaction.query(`truncate ${random.pick(app.things).name}`)
          else await writeThing(transaction, random.pick(app.things))
        }
        if (isUndone) throw new Undone()
      })
    } catch (error) {
      // Lost a race against a mutation, like anybody's transaction might.
      const sqlstate = error instanceof Error && 'details' in error ? String(Object(error.details).sqlstate) : ''
      if (!(error instanceof Undone) && !['40001', '40P01'].includes(sqlstate)) throw error
    }
  }

  const made = new Map<string, Made>()

  function mutate(device: WatchedDevice): void {
    const { name, links } = random.pick(app.things)
    const mine = known.get(name) ?? []
    const make = (verb: Made['verb'], values: Row) => {
      const id = device.client().mutate[name]?.[verb](values).id
      if (id !== undefined) made.set(id, { id, person: device.person, table: name, verb, values })
    }
    if (mine.length === 0 || random.is(0.4)) {
      const id = random.uuid()
      mine.push(id)
      make('insert', { id, ...Object.fromEntries(links.map(({ column }) => [column, drawn(column)])), note: canary(), secret: canary() })
    } else if (random.is(0.2)) make('delete', { id: random.pick(mine) })
    else {
      const column = random.pick([...links.map((link) => link.column), 'note', 'note'])
      make('update', { id: random.pick(mine), [column]: column === 'note' ? canary() : drawn(column) })
    }
  }

  const handles = new Map<WatchedDevice, (() => void)[]>()
  function holdScope(device: WatchedDevice): void {
    const mine = handles.get(device) ?? []
    handles.set(device, mine)
    if (mine.length > 3 && random.is(0.5)) mine.shift()?.()
    const scope = random.pick([
      { kind: 'project', key: random.pick(ids.projects) },
      { kind: 'team', key: random.pick(ids.teams) },
      { kind: 'company', key: random.pick(ids.companies) },
    ])
    mine.push(device.use(scope.kind, scope.key))
  }

  return {
    made,
    step: async () => {
      const kind = random.int(100)
      const device = random.pick(devices)
      if (kind < 50) await transact()
      else if (kind < 75) mutate(device)
      else if (kind < 90) holdScope(device)
      else if (kind < 95) device.cut()
      else if (kind < 97) {
        await device.restart()
        handles.delete(device)
      } else await new Promise((resolve) => setTimeout(resolve, random.int(30)))
    },
  }
}
