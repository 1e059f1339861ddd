// Four small apps, each with something that must hold whatever happens: a sum, a count, a set, a text.
import { defineMutators, defineSchema, holdersMayWrite, integer, mutator, refuse, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { z } from 'zod'
import type { Random } from '../../harness/generated/random.ts'
import { leaveMark, mark, marks, type Workload } from './workload.ts'

export const people = ['ada', 'bob', 'eve', 'joe'] as const

const grants = {
  user: sql`select id as "user", id as key, 'owner' as role from people`,
  bank: sql`select id as "user", 'one' as key, 'holder' as role from people`,
}

const accountIds = Array.from({ length: 6 }, (_, i) => `a0000000-0000-4000-8000-00000000000${i}`)
const sum = 600

/** Everybody moves money between the same accounts. No state that anybody is shown has more or less of it. */
export function transfers(): Workload {
  const schema = defineSchema({ marks, accounts: table({ id: uuid().primaryKey(), bank: text(), balance: integer() }).in('bank', 'bank') })
  const mutators = defineMutators(schema, {
    transfer: mutator(z.object({ mark, from: z.uuid(), to: z.uuid(), amount: z.number().int() }), async (tx, args) => {
      const [from, to] = [await tx.query.accounts.where({ id: args.from }).first(), await tx.query.accounts.where({ id: args.to }).first()]
      if (!from || !to) refuse('absent', 'There is no such account.')
      if (from.balance < args.amount) refuse('funds', 'There is not enough on it.')
      await tx.accounts.update({ id: from.id, balance: from.balance - args.amount })
      await tx.accounts.update({ id: to.id, balance: to.balance + args.amount })
      await leaveMark(tx, args.mark)
    }),
  })
  const two = (random: Random) => {
    const from = random.pick(accountIds)
    return [from, random.pick(accountIds.filter((id) => id !== from))] as const
  }
  return {
    name: 'transfers',
    schema,
    mutators,
    grants,
    isFixed: true,
    access: holdersMayWrite(schema),
    rows: accountIds.map((id) => ({
      text: `insert into accounts (id, bank, balance) values ($1::text::uuid, 'one', $2::int)`,
      parameters: [id, sum / accountIds.length],
    })),
    refuses: ['funds'],
    act: (random) => {
      const [from, to] = two(random)
      return { name: 'transfer', args: { from, to, amount: 1 + random.int(40) } }
    },
    foreign: (random) => {
      const [from, to] = two(random)
      const move = 'update accounts set balance = balance + $2::int where id = $1::text::uuid'
      return [
        { text: move, parameters: [from, -1] },
        { text: move, parameters: [to, 1] },
      ]
    },
    isAlways: true,
    wrong: (rows) => {
      const accounts = rows('accounts')
      const total = accounts.reduce((all, { balance }) => all + Number(balance), 0)
      return accounts.length === 0 || (accounts.length === accountIds.length && total === sum) ? null : `${accounts.length} accounts hold ${total}`
    },
  }
}

const counterId = 'c0000000-0000-4000-8000-000000000000'

/** Everybody counts on. */
export function counter(): Workload {
  const schema = defineSchema({ marks, counters: table({ id: uuid().primaryKey(), bank: text(), value: integer() }).in('bank', 'bank') })
  const mutators = defineMutators(schema, {
    count: mutator(z.object({ mark }), async (tx, args) => {
      const before = await tx.query.counters.where({ id: counterId }).first()
      if (!before) refuse('absent', 'There is no counter.')
      await tx.counters.update({ id: counterId, value: before.value + 1 })
      await leaveMark(tx, args.mark)
    }),
  })
  return {
    name: 'counter',
    schema,
    mutators,
    grants,
    isFixed: true,
    access: holdersMayWrite(schema),
    rows: [{ text: `insert into counters (id, bank, value) values ($1::text::uuid, 'one', 0)`, parameters: [counterId] }],
    act: () => ({ name: 'count', args: {} }),
  }
}

const elements = Array.from({ length: 12 }, (_, i) => `e${i}`)

/** Everybody puts elements into one set and takes them out, by built-ins; twice the same is refused. */
export function set(): Workload {
  const schema = defineSchema({
    marks,
    elements: table({ id: uuid().primaryKey(), bank: text(), name: text().unique(), note: text() }).in('bank', 'bank'),
  })
  const mutators = defineMutators(schema, {
    put: mutator(z.object({ mark, id: z.uuid(), name: z.string(), note: z.string() }), async (tx, args) => {
      const there = await tx.query.elements.where({ name: args.name }).first()
      if (there) await tx.elements.update({ id: there.id, note: args.note })
      else await tx.elements.insert({ id: args.id, bank: 'one', name: args.name, note: args.note })
      await leaveMark(tx, args.mark)
    }),
    take: mutator(z.object({ mark, name: z.string() }), async (tx, args) => {
      const there = await tx.query.elements.where({ name: args.name }).first()
      if (!there) refuse('absent', 'It is not in it.')
      await tx.elements.delete({ id: there.id })
      await leaveMark(tx, args.mark)
    }),
  })
  let notes = 0
  return {
    name: 'set',
    schema,
    mutators,
    grants,
    isFixed: true,
    access: holdersMayWrite(schema),
    rows: [],
    act: (random) => {
      const name = random.pick(elements)
      if (random.is(0.3)) return { name: 'take', args: { name } }
      const row = { id: random.uuid(), name, note: `§${++notes}§` }
      return random.is(0.5) ? { name: 'put', args: row } : { name: 'elements.insert', args: { ...row, bank: 'one' } }
    },
    foreign: (random) => [
      random.is(0.05)
        ? { text: 'truncate elements', parameters: [] }
        : { text: 'update elements set note = $2 where name = $1', parameters: [random.pick(elements), `§${++notes}§`] },
    ],
    wrong: (rows) => {
      const names = rows('elements').map(({ name }) => name)
      return new Set(names).size === names.length ? null : `an element is twice in ${names.join()}`
    },
  }
}

const textIds = ['d0000000-0000-4000-8000-000000000000', 'd0000000-0000-4000-8000-000000000001']

/** Long texts that everybody adds to and puts others in the place of. */
export function longText(): Workload {
  const schema = defineSchema({ marks, texts: table({ id: uuid().primaryKey(), bank: text(), content: text() }).in('bank', 'bank') })
  const mutators = defineMutators(schema, {
    append: mutator(z.object({ mark, id: z.uuid(), more: z.string(), times: z.number().int() }), async (tx, args) => {
      const before = await tx.query.texts.where({ id: args.id }).first()
      const content = `${before?.content ?? ''}${args.more.repeat(args.times)}`
      if (content.length > 40_000) refuse('long', 'It is long enough.')
      if (before) await tx.texts.update({ id: args.id, content })
      else await tx.texts.insert({ id: args.id, bank: 'one', content })
      await leaveMark(tx, args.mark)
    }),
  })
  let notes = 0
  return {
    name: 'long text',
    schema,
    mutators,
    grants,
    isFixed: true,
    access: holdersMayWrite(schema),
    rows: [],
    refuses: ['long'],
    act: (random) => {
      const id = random.pick(textIds)
      return { name: 'append', args: { id, more: `§${++notes}§ `, times: random.is(0.2) ? 2_000 : 10 } }
    },
    foreign: (random) => [{ text: `update texts set content = '' where id = $1::text::uuid`, parameters: [random.pick(textIds)] }],
    wrong: (rows) => (rows('texts').every(({ content }) => /^(§\d+§ )*$/.test(String(content))) ? null : 'a text is not whole'),
  }
}
