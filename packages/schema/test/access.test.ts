import { HeadwaterError, type ScopeKey, scopeKey } from '@headwater/protocol'
import {
  and,
  bigint,
  checkAccess,
  defineAccess,
  defineSchema,
  enumeration,
  eq,
  gt,
  type Held,
  holdersMayWrite,
  holds,
  type Insert,
  integer,
  isIn,
  isNull,
  json,
  lt,
  not,
  type Operand,
  or,
  type Row,
  ref,
  role,
  table,
  text,
  timestamp,
  type Update,
  uuid,
} from '@headwater/schema'
import { describe, expect, expectTypeOf, test } from 'vitest'

const schema = defineSchema({
  campaigns: table({
    id: uuid().primaryKey(),
    teamId: text().nullable(),
    ownerId: text(),
    name: text(),
    status: enumeration('draft', 'live').default('draft'),
    budgetMinor: bigint().default(0n),
    note: text().nullable(),
    clicks: integer().default(0).serverOwned(),
  })
    .in('team', 'teamId')
    .in('user', 'ownerId'),
  reviews: table({ id: uuid().primaryKey(), campaignId: ref('campaigns'), reviewerId: text(), stars: integer(), at: timestamp(), more: json() }).in(
    'user',
    'reviewerId',
  ),
})
type Campaigns = (typeof schema)['tables']['campaigns']

const access = defineAccess(
  schema,
  {
    campaigns: {
      insert: role('team', 'editor'),
      update: {
        columns: { budgetMinor: role('team', 'admin'), '*': role('team', 'editor') },
        when: ({ before, after }) => or(eq(before.teamId, after.teamId), isNull(before.teamId)),
      },
      delete: ({ row, person, exists }) =>
        or(
          role('team', 'owner'),
          and(
            eq(row.ownerId, person),
            not(eq(row.status, 'live')),
            exists('reviews', (review) => and(eq(review.campaignId, row.id), eq(review.reviewerId, person))),
          ),
        ),
    },
  },
  { roles: { team: ['viewer', 'editor', 'admin', 'owner'] } },
)

const c1 = '00000000-0000-4000-8000-0000000000c1'
const campaign: Row<Campaigns> = { id: c1, teamId: 't', ownerId: 'ada', name: 'x', status: 'draft', budgetMinor: 1n, note: null, clicks: 0 }
const reviews: Readonly<Record<string, unknown>>[] = []
function heldBy(person: string, roles: Readonly<Record<string, readonly string[]>> | null): [string, Held] {
  const map =
    roles && new Map<ScopeKey, readonly string[]>(Object.entries(roles).map(([scope, list]) => [scopeKey(...(scope.split(':') as [string, string])), list]))
  const scopes = { roles: map ?? new Map(), tag: map && 'known' }
  return [person, { scopes: () => scopes, visible: { each: (name, run) => (name === 'reviews' ? reviews : []).forEach(run) } }]
}

describe('what a device thinks it may', () => {
  test('a role includes those before it, and any scope that permits is enough', () => {
    for (const [roles, may] of [
      [['viewer'], false],
      [['editor'], true],
      [['owner'], true],
      [['viewer', 'admin'], true],
      [['guest'], false],
      [[], false],
    ] as const) {
      expect(access.can(...heldBy('bob', { 'team:t': roles })).update.campaigns(campaign, ['name']), String(roles)).toBe(may)
    }
    expect(access.can(...heldBy('bob', { 'team:other': ['owner'], 'user:ada': ['owner'] })).update.campaigns(campaign, ['name'])).toBe(false)
  })

  test('the rule of every named column must hold, and what no rule speaks of is denied', () => {
    const editor = access.can(...heldBy('bob', { 'team:t': ['editor'] }))
    expect(editor.update.campaigns(campaign, ['name', 'status'])).toBe(true)
    expect(editor.update.campaigns(campaign, ['name', 'budgetMinor'])).toBe(false)
    expect(access.can(...heldBy('bob', { 'team:t': ['admin'] })).update.campaigns(campaign, ['name', 'budgetMinor'])).toBe(true)
    const review = { id: 'r', campaignId: c1, reviewerId: 'bob', stars: 5, at: '2026-11-21T00:00:00.000000Z', more: null as never }
    expect(access.can(...heldBy('bob', { 'user:bob': ['owner'] })).insert.reviews(review)).toBe(false)
    const few = defineAccess(schema, { campaigns: { update: { columns: { name: holds('user') } } } }).can(...heldBy('ada', { 'user:ada': ['x'] }))
    expect([few.update.campaigns(campaign, ['name']), few.update.campaigns(campaign, ['note']), few.update.campaigns(campaign, ['name', 'note'])]).toEqual([
      true,
      false,
      false,
    ])
    expect([few.insert.campaigns(campaign), few.delete.campaigns(campaign)]).toEqual([false, false])
  })

  test('what the server owns cannot be named, whatever the rule says', () => {
    const can = holdersMayWrite(schema).can(...heldBy('ada', { 'user:ada': ['owner'] }))
    const { clicks, ...rest } = campaign
    expect(can.insert.campaigns(rest)).toBe(true)
    expect(can.insert.campaigns({ ...rest, clicks: 1 } as typeof rest)).toBe(false)
    expect(can.update.campaigns(campaign, ['name'])).toBe(true)
    expect(can.update.campaigns(campaign, ['clicks'])).toBe(false)
    expect(clicks).toBe(0)
  })

  test('an insert is judged with the defaults it will have, and what could not be stored is false', () => {
    const drafts = defineAccess(schema, { campaigns: { insert: ({ row }) => and(eq(row.status, 'draft'), isNull(row.note), lt(row.budgetMinor, 5n)) } })
    const can = drafts.can(...heldBy('ada', {}))
    const given: Insert<Campaigns> = { id: '00000000-0000-4000-8000-000000000001', ownerId: 'ada', name: 'x' }
    expect(can.insert.campaigns(given)).toBe(true)
    expect(can.insert.campaigns({ ...given, status: 'live' })).toBe(false)
    expect(can.insert.campaigns({ ...given, budgetMinor: 5n })).toBe(false)
    expect(can.insert.campaigns({ ...given, id: 'no uuid' })).toBe(false)
  })

  test('what is not known is not allowed: roles that did not come, a related row or a column that is not here', () => {
    expect(access.can(...heldBy('bob', null)).update.campaigns(campaign, ['name'])).toBe(false)
    const mine = { ...campaign, teamId: 'other' }
    expect(access.can(...heldBy('ada', {})).delete.campaigns(mine)).toBe(false)
    reviews.push({ campaignId: c1, reviewerId: 'ada' })
    expect(access.can(...heldBy('ada', {})).delete.campaigns(mine)).toBe(true)
    expect(access.can(...heldBy('bob', {})).delete.campaigns(mine)).toBe(false)
    reviews.length = 0
    const { ownerId: _, ...partly } = campaign
    const owners = defineAccess(schema, { campaigns: { delete: ({ row, person }) => not(eq(row.ownerId, person)) } }).can(...heldBy('bob', {}))
    expect(owners.delete.campaigns(campaign)).toBe(true)
    expect(owners.delete.campaigns(partly as typeof campaign)).toBe(false)
    const lonely = defineAccess(schema, { campaigns: { delete: ({ exists, row }) => not(exists('reviews', (review) => eq(review.campaignId, row.id))) } })
    expect(lonely.can(...heldBy('bob', {})).delete.campaigns(campaign)).toBe(false)
  })
})

describe('rules that cannot mean anything', () => {
  const failureOf = (run: () => unknown): string => {
    try {
      run()
    } catch (error) {
      if (error instanceof HeadwaterError && error.code === 'access') return error.message
      throw error
    }
    return 'nothing was thrown'
  }
  type Loose = Readonly<Record<'nope' | 'ownerId' | 'id' | 'more', Operand<never>>>
  // What follows is what JavaScript without types would let through.
  const loose = (tables: unknown, roles: unknown = {}) => failureOf(() => checkAccess(schema, defineAccess(schema, tables as never, { roles: roles as never })))

  test('are refused when a server starts, with table and column', () => {
    expect(checkAccess(schema, access)).toEqual(
      expect.arrayContaining([
        { kind: 'team', role: 'owner' },
        { kind: 'team', role: 'admin' },
        { kind: 'team', role: 'editor' },
      ]),
    )
    expect(loose({ campaigns: { insert: role('project', 'x') } })).toContain('campaigns.insert asks for a scope of kind project')
    expect(loose({ campaigns: { delete: role('team', 'boss') } }, { team: ['viewer'] })).toContain('names the role boss')
    expect(loose({ campaigns: { update: { columns: { nope: role('team', 'x') } } } })).toContain('name nope, which is no column')
    expect(loose({ campaigns: { insert: ({ row }: { row: Loose }) => eq(row.nope, 'x' as never) } })).toContain('which is no column')
    expect(loose({ campaigns: { insert: ({ row }: { row: Loose }) => eq(row.ownerId, row.nope) } })).toContain('compares ownerId with undefined')
    expect(loose({ campaigns: { insert: ({ row }: { row: Loose }) => eq(row.ownerId, row.id) } })).toContain(
      'compares ownerId, which is text, with id, which is uuid',
    )
    expect(loose({ campaigns: { insert: ({ row, person }: { row: Loose; person: Loose['nope'] }) => gt(row.ownerId, person) } })).toContain(
      'cannot be compared with the person',
    )
    expect(loose({ reviews: { insert: ({ row }: { row: Loose }) => gt(row.more, 1 as never) } })).toContain('has no gt')
    expect(failureOf(() => checkAccess(schema, { ...access, tables: new Map([['nope', access.tables.get('campaigns') as never]]) }))).toContain(
      'nope, which is no table',
    )
  })

  test('do not compile', () => {
    const check = () => {
      // @ts-expect-error there is no such table
      defineAccess(schema, { campaign: { insert: holds('team') } })
      // @ts-expect-error rows of campaigns are in no project
      defineAccess(schema, { campaigns: { insert: role('project', 'editor') } })
      // @ts-expect-error the same, further down
      defineAccess(schema, { campaigns: { insert: ({ row, person }) => or(eq(row.ownerId, person), not(holds('project'))) } })
      // @ts-expect-error the ladder has no such role
      defineAccess(schema, { campaigns: { insert: role('team', 'edtor') } }, { roles: { team: ['viewer', 'editor'] } })
      // @ts-expect-error nor here
      defineAccess(schema, { campaigns: { update: { columns: { name: and(role('team', 'edtor')) } } } }, { roles: { team: ['viewer', 'editor'] } })
      // @ts-expect-error there is no such column
      defineAccess(schema, { campaigns: { update: { columns: { nme: holds('team') } } } })
      // @ts-expect-error there is no such column
      defineAccess(schema, { campaigns: { insert: ({ row }) => isNull(row.nme) } })
      // @ts-expect-error of another type
      defineAccess(schema, { campaigns: { insert: ({ row }) => eq(row.budgetMinor, 'x') } })
      // @ts-expect-error no value of the enumeration
      defineAccess(schema, { campaigns: { insert: ({ row }) => isIn(row.status, ['draft', 'lve']) } })
      // @ts-expect-error columns of two types
      defineAccess(schema, { campaigns: { insert: ({ row }) => eq(row.budgetMinor, row.name) } })
      // @ts-expect-error there is no such related table
      defineAccess(schema, { campaigns: { insert: ({ row, exists }) => exists('review', (review) => eq(review.id, row.id)) } })
      // @ts-expect-error nor such a column of it
      defineAccess(schema, { campaigns: { insert: ({ row, exists }) => exists('reviews', (review) => eq(review.nope, row.id)) } })
      // @ts-expect-error only an update has a row before
      defineAccess(schema, { campaigns: { insert: ({ before }) => isNull(before.note) } })
      const can = access.can(...heldBy('ada', null))
      // @ts-expect-error there is no such column
      can.update.campaigns(campaign, ['nme'])
      // @ts-expect-error the key is not updated
      can.update.campaigns(campaign, ['id'])
    }
    expect(typeof check).toBe('function')
  })

  test('what the server owns is read, and neither inserted nor updated', () => {
    expectTypeOf<Row<Campaigns>>().toHaveProperty('clicks').toEqualTypeOf<number>()
    expectTypeOf<Insert<Campaigns>>().not.toHaveProperty('clicks')
    expectTypeOf<Update<Campaigns>>().not.toHaveProperty('clicks')
  })
})
