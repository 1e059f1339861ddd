// What an app of the simulation is: what it declares, and what people and others do with it. Everything is drawn when a run is planned, and written into the plan.
import { type Access, boolean, integer, type Mutators, type Schema, type Tx, table, text } from '@headwater/schema'
import type { Grants, Parameter } from '@headwater/server'
import { z } from 'zod'
import type { Random } from '../../harness/generated/random.ts'

/** What somebody does on a device: a mutator, or a built-in, by name. */
export interface Act {
  /** `transfer`, or `things.insert`. */
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

/** A statement of psql. */
export interface Foreign {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

export interface Workload {
  readonly name: string
  readonly schema: Schema
  readonly access: Access
  readonly mutators: Mutators
  readonly grants: Grants
  /** It is the same in every seed. */
  readonly isFixed: boolean
  /** What there is before the first server starts, after the tables of the schema were made. */
  readonly rows: readonly Foreign[]
  /** What a person does next. */
  act(random: Random, person: string): Act
  /** The same with what they have before them when they do it; none: that is of no matter. `rows`: what the device shows. */
  atHand?(act: Act, rows: (table: string) => readonly Readonly<Record<string, unknown>>[]): Act['args']
  /** By what its mutators refuse, beside what the server does by rules and constraints. */
  readonly refuses?: readonly string[]
  /** What another program does next, in one transaction; none: nobody else writes here. */
  foreign?(random: Random): readonly Foreign[]
  /** Scopes that nobody was ever granted, with rows that change. */
  readonly nobodys?: readonly string[]
  /** Something that a person loses and gets back in the next moment, in two transactions, and an on-demand scope that comes and goes with it; `emptied`: a table that is made empty and filled anew. */
  flicker?(
    random: Random,
    person: string,
  ): { readonly loss: Foreign; readonly gain: Foreign; readonly emptied: readonly Foreign[]; readonly kind: string; readonly key: string }
  /** An on-demand scope that somebody looks at. */
  use?(random: Random): { readonly kind: string; readonly key: string }
  /** Whether a state can be, as SQL has it, or a device that waits for nothing; or, with `isAlways`, any device. Answers what is wrong with it. */
  wrong?(rows: (table: string) => readonly Readonly<Record<string, unknown>>[]): string | null
  readonly isAlways?: boolean
  /** Its mutators look for rows that a device may not hold: such a mutation waits for the server, and shows nothing until then. */
  readonly mayWait?: boolean
}

/** Every device counts what it has done in a row of its own: so it is seen what was carried out twice, or out of order. */
export const marks = table({ id: text().primaryKey(), ownerId: text(), count: integer(), last: integer(), isOrdered: boolean() }).in('user', 'ownerId')

/** What every mutator takes beside its own arguments; the run fills it in. */
export const mark = z.object({ device: z.string(), made: z.number().int() })
export type Mark = z.infer<typeof mark>

type Marks = Pick<Tx<Schema>, 'user'> & { readonly marks: Pick<Tx['marks'], 'insert' | 'update'>; readonly query: Pick<Tx['query'], 'marks'> }

/** To be called by every mutator. */
export async function leaveMark(tx: unknown, { device, made }: Mark): Promise<void> {
  // Every workload's schema has this table: its own tx has what is used of it here.
  const { marks: writing, query, user } = tx as Marks
  const before = await query.marks?.where({ id: device }).first()
  if (!before) return writing.insert({ id: device, ownerId: user, count: 1, last: made, isOrdered: true } as never)
  const isOrdered = before.isOrdered === true && made > Number(before.last)
  await writing.update({ id: device, count: Number(before.count) + 1, last: made, isOrdered } as never)
}
