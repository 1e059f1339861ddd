import type { Judged } from './goals.ts'

const heads = ['figure', 'measured', 'limit', 'ratio', 'goal', '']

/** One line per figure, in columns. */
export function tableOf(judged: readonly Judged[]): string {
  const lines = judged.map((one) => [
    one.name,
    shown(one.value, one.unit),
    shown(one.limit, one.unit),
    digits(one.ratio),
    `<= ${digits(one.goalRatio)}`,
    one.isMissed ? 'MISS' : 'ok',
  ])
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column]?.length ?? 0)))
  const pad = (cell: string, column: number) =>
    column === 0 || column === heads.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return [heads, widths.map((width) => '-'.repeat(width)), ...lines].map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}

const shown = (value: number, unit: string) => `${digits(value)} ${unit}`

/** Three digits that mean something. */
const digits = (value: number) => (Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3))
