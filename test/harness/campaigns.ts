// An app with rules worth breaking, as its devices have it: roles on a ladder, columns of different standing, a rule on related rows.
import {
  and,
  bigint,
  defineAccess,
  defineMutators,
  defineSchema,
  enumeration,
  eq,
  integer,
  isNull,
  mutator,
  not,
  ref,
  role,
  table,
  text,
  uuid,
} from '@headwater/schema'
import { z } from 'zod'

export const schema = defineSchema({
  campaigns: table({
    id: uuid().primaryKey(),
    teamId: text(),
    ownerId: text(),
    name: text().max(50),
    status: enumeration('draft', 'live').default('draft'),
    budgetMinor: bigint().default(0n),
    note: text().nullable(),
    clicks: integer().default(0).serverOwned(),
  })
    .in('team', 'teamId')
    .in('user', 'ownerId'),
  reviews: table({ id: uuid().primaryKey(), campaignId: ref('campaigns', { onDelete: 'cascade' }), reviewerId: text(), stars: integer() }).in(
    'user',
    'reviewerId',
  ),
  /** In a scope of everybody, and without a rule. */
  notices: table({ id: uuid().primaryKey(), teamId: text(), line: text() }).in('team', 'teamId'),
})

export const access = defineAccess(
  schema,
  {
    campaigns: {
      insert: role('team', 'editor'),
      update: {
        columns: { budgetMinor: role('team', 'admin'), status: ({ row }) => and(role('team', 'editor'), not(isNull(row.note))), '*': role('team', 'editor') },
        when: ({ before, after }) => eq(before.teamId, after.teamId),
      },
      delete: role('team', 'owner'),
    },
    reviews: {
      insert: ({ row, person, exists }) =>
        and(
          eq(row.reviewerId, person),
          exists('campaigns', (campaign) => and(eq(campaign.id, row.campaignId), eq(campaign.status, 'live'))),
        ),
      delete: ({ row, person }) => eq(row.reviewerId, person),
    },
  },
  { roles: { team: ['viewer', 'editor', 'admin', 'owner'] } },
)

export const mutators = defineMutators(schema, {
  rename: mutator(z.object({ id: z.uuid(), name: z.string() }), async (tx, { id, name }) => {
    await tx.campaigns.update({ id, name })
  }),
  moveTo: mutator(z.object({ id: z.uuid(), teamId: z.string() }), async (tx, args) => {
    await tx.campaigns.update(args)
  }),
  click: mutator(z.object({ id: z.uuid() }), async () => {}),
})
