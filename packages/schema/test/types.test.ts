import {
  bigint,
  defineMutators,
  defineSchema,
  enumeration,
  type Insert,
  integer,
  json,
  mutator,
  type Row,
  ref,
  table,
  text,
  timestamp,
  type Update,
  uuid,
} from '@headwater/schema'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    status: enumeration('active', 'archived').default('active'),
    budget: bigint().nullable(),
    settings: json(z.object({ dark: z.boolean() })).nullable(),
    updatedAt: timestamp(),
  }).in('user', 'ownerId'),
  members: table({ projectId: ref('projects'), userId: text() }).primaryKey('projectId', 'userId'),
})
type Projects = (typeof schema)['tables']['projects']
type Members = (typeof schema)['tables']['members']

test('a row has every column, and null where the column is nullable', () => {
  expectTypeOf<Row<Projects>>().toEqualTypeOf<{
    readonly id: string
    readonly ownerId: string
    readonly title: string
    readonly status: 'active' | 'archived'
    readonly budget: bigint | null
    readonly settings: { dark: boolean } | null
    readonly updatedAt: string
  }>()
})

test('an insert may leave out what is nullable or has a default, and no more', () => {
  expectTypeOf<{ id: string; ownerId: string; title: string; updatedAt: Date }>().toExtend<Insert<Projects>>()
  expectTypeOf<{ id: string; ownerId: string; title: string }>().not.toExtend<Insert<Projects>>()
})

test('an update must name the key, simple or composite', () => {
  expectTypeOf<{ id: string; title: string }>().toExtend<Update<Projects>>()
  expectTypeOf<{ title: string }>().not.toExtend<Update<Projects>>()
  expectTypeOf<{ projectId: string; userId: string }>().toExtend<Update<Members>>()
  expectTypeOf<{ projectId: string }>().not.toExtend<Update<Members>>()
})

test('a mutator knows its tables and its arguments', () => {
  const mutators = defineMutators(schema, {
    rename: mutator(z.object({ id: z.string(), title: z.string() }), async (tx, args) => {
      expectTypeOf(args).toEqualTypeOf<{ id: string; title: string }>()
      const project = await tx.query.projects.where({ id: args.id }).first()
      expectTypeOf(project).toEqualTypeOf<Row<Projects> | undefined>()
      await tx.projects.update({ id: args.id, title: args.title })
      // @ts-expect-error there is no such column
      await tx.projects.update({ id: args.id, name: args.title })
    }),
  })
  expectTypeOf(mutators.rename.run).parameter(1).toEqualTypeOf<{ id: string; title: string }>()
})

test('a column that some set leaves out may be absent from a row, which is not null; the key and the column of the scope never are', () => {
  const campaigns = table({ id: uuid().primaryKey(), teamId: text().nullable(), companyId: text(), name: text(), budget: bigint().nullable() })
    .in('team', 'teamId')
    .in('company', 'companyId', { columns: ['id', 'name'] })
  expectTypeOf<Row<typeof campaigns>>().toEqualTypeOf<{
    readonly id: string
    readonly teamId: string | null | undefined
    readonly companyId: string
    readonly name: string
    readonly budget: bigint | null | undefined
  }>()
  const byRole = table({ id: text(), teamId: text(), name: text(), salary: integer() })
    .in('team', 'teamId', { columns: { viewer: ['name'], auditor: ['salary', 'name'] } })
    .primaryKey('id')
  expectTypeOf<Row<typeof byRole>>().toEqualTypeOf<{
    readonly id: string
    readonly teamId: string
    readonly name: string
    readonly salary: number | undefined
  }>()
  expectTypeOf<{ id: string; teamId: string; name: string; salary: number }>().toExtend<Insert<typeof byRole>>()
  // @ts-expect-error there is no such column
  table({ id: uuid().primaryKey(), ownerId: text() }).in('user', 'ownerId', { columns: ['idd'] })
  // @ts-expect-error there is no such column
  table({ id: uuid().primaryKey(), ownerId: text() }).in('user', 'ownerId', { columns: { viewer: ['idd'] } })
})
