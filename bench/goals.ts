import { readFileSync } from 'node:fs'
import { type Figure, ratioOf } from './figure.ts'

/** What goals.json says of a figure. */
export interface Goal {
  /** The benchmark that measures it. */
  readonly benchmark: string
  /** What the limit beside it is. */
  readonly limit: string
  /** The ratio of figure and limit beyond which the bench fails. */
  readonly goalRatio: number
  /** What we want of the figure itself, on a quiet machine like the one that the goals come from. */
  readonly goal: string
  readonly why: string
}
export type Goals = Readonly<Record<string, Goal>>

export interface Judged extends Figure {
  readonly ratio: number
  readonly goalRatio: number
  readonly isMissed: boolean
}

// Written by hand, in this form; a figure without a goal is an error below.
export const readGoals = (): Goals => JSON.parse(readFileSync(new URL('./goals.json', import.meta.url), 'utf8')) as Goals

/** Throws for a figure without a goal, and for a goal of the benchmarks that ran which no figure met: both are mistakes in goals.json. */
export function judge(figures: readonly Figure[], goals: Goals, ran: readonly string[]): readonly Judged[] {
  const measured = new Set(figures.map(({ name }) => name))
  const unmet = Object.keys(goals).find((name) => ran.includes(goals[name]?.benchmark ?? '') && !measured.has(name))
  if (unmet !== undefined) throw new Error(`No benchmark measured "${unmet}", which goals.json has a goal for.`)
  return figures.map((figure) => {
    const goal = goals[figure.name]
    if (goal === undefined) throw new Error(`goals.json has no goal for "${figure.name}".`)
    const ratio = ratioOf(figure)
    // A figure that is not a number has missed whatever goal there is.
    return { ...figure, ratio, goalRatio: goal.goalRatio, isMissed: !(ratio <= goal.goalRatio) }
  })
}
