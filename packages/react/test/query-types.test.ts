// What a query answers is known from what it asks.
import { count, type createClient, many, max, one, sum } from '@headwater/client'
import { createHooks } from '@headwater/react'
import { bigint, defineSchema, enumeration, gt, integer, json, not, numeric, or, ref, table, text, uuid } from '@headwater/schema'
import { expectTypeOf, test } from 'vitest'

const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    title: text(),
    status: enumeration('open', 'done'),
    budget: bigint().nullable(),
    price: numeric(),
    settings: json(),
  }).in('user', 'title'),
  messages: table({ id: uuid().primaryKey(), projectId: ref('projects'), authorId: ref('projects').nullable(), content: text(), sequence: integer() }).in(
    'user',
    'content',
  ),
})
type Client = ReturnType<typeof createClient<typeof schema>>
type Projects = Client['query']['projects']
/** Never called: it is there to be compiled. */
export const asks = ({ query: q }: Client) => ({
  groups: q.projects.where(or({ status: 'open' }, { title: 'x', budget: gt(5n) }, not({ status: 'done' }))).all(),
  lists: q.projects
    .with({ messages: many(q.messages.orderBy('sequence'), 'projectId') })
    .limit(3)
    .all(),
  owners: q.messages.with({ project: one(q.projects, 'projectId'), author: one(q.projects, 'authorId') }).live(),
  totals: q.projects.aggregate({ n: count(), paid: count('budget'), budget: sum('budget'), price: sum('price'), last: max('title') }).first(),
  byStatus: q.projects.aggregate({ n: count() }, 'status').all(),
})
type Asks = ReturnType<typeof asks>
type Project = NonNullable<ReturnType<Projects['first']>>
type Message = NonNullable<ReturnType<Client['query']['messages']['first']>>

test('rows with related ones', () => {
  expectTypeOf<Asks['groups']>().toEqualTypeOf<readonly Project[]>()
  expectTypeOf<Asks['lists'][number]['messages']>().toEqualTypeOf<readonly Message[]>()
  expectTypeOf<Asks['lists'][number]['status']>().toEqualTypeOf<'open' | 'done'>()
  expectTypeOf<ReturnType<Asks['owners']['result']>['rows'][number]['author']>().toEqualTypeOf<Project | null>()
})

test('aggregates', () => {
  expectTypeOf<NonNullable<Asks['totals']>>().toEqualTypeOf<{
    readonly n: number
    readonly paid: number
    readonly budget: bigint | null
    readonly price: string | null
    readonly last: string | null
  }>()
  expectTypeOf<Asks['byStatus']>().toEqualTypeOf<readonly { readonly status: 'open' | 'done'; readonly n: number }[]>()
})

test('what must not compile', () => {
  const { useQuery } = createHooks<typeof schema>()
  const wrong = ({ query: q }: Client) => {
    // @ts-expect-error there is no such column to refer by
    q.projects.with({ messages: many(q.messages, 'projectID') })
    // @ts-expect-error a message has no such column
    q.messages.with({ project: one(q.projects, 'ownerId') })
    // @ts-expect-error there is no such column
    q.projects.aggregate({ n: sum('budgets') })
    // @ts-expect-error there is no such column
    q.projects.aggregate({ n: count() }, 'state')
    // @ts-expect-error no such status
    q.projects.where(or({ status: 'opened' }))
    // @ts-expect-error there is no such column
    q.projects.where(or({ status: 'open' }, { colour: 'red' }))
    // @ts-expect-error one level
    q.projects.with({ messages: many(q.messages, 'projectId') }).with({ more: many(q.messages, 'projectId') })
    return useQuery((asked) => asked.projects.aggregate({ n: count() }, 'status'))
  }
  expectTypeOf<ReturnType<typeof wrong>['rows']>().toEqualTypeOf<readonly { readonly status: 'open' | 'done'; readonly n: number }[]>()
})
