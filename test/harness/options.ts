// What a command of this repository can be told, `npm run NAME -- --help`: one list of options, by which it is read, judged and explained.
import { parseArgs } from 'node:util'

/** What stands behind an option, as `--help` shows it. */
export interface Takes<T> {
  readonly form: string
  /** What it has to be, in words that go on from "takes". */
  readonly what: string
  /** undefined: it makes no sense. */
  read(text: string): T | undefined
}

export interface Option<T = unknown> {
  /** In one line: what it is for. */
  readonly says: string
  /** None: it is there or not. */
  readonly takes?: Takes<T>
  readonly default?: NoInfer<T>
  /** Another option, without which it means nothing. */
  readonly needs?: string
}
export type Options = Readonly<Record<string, Option>>

type Taken<O> = O extends { readonly takes: Takes<infer T> } ? (O extends { readonly default: unknown } ? T : T | undefined) : boolean
export type Values<O extends Options> = { readonly [Name in keyof O]: Taken<O[Name]> }

export interface Command<O extends Options> {
  /** As it is called: `npm run simulate`. */
  readonly name: string
  /** What it does, in one sentence. */
  readonly does: string
  readonly options: O
  /** What may be said without the name of an option; none: nothing. */
  readonly rest?: Takes<string>
}

export type Read<O extends Options> =
  /** `asked`: of the values, those that were said. */
  | { readonly values: Values<O>; readonly asked: Partial<Values<O>>; readonly rest: readonly string[] }
  /** To be printed, and nothing to be run. `code`: 0 for who asked for help, 2 for who made a mistake. */
  | { readonly text: string; readonly code: 0 | 2 }

/** Ends the process where it was called wrongly or asked for help. */
export function readOptions<O extends Options>(command: Command<O>, args = process.argv.slice(2)): Exclude<Read<O>, { readonly code: number }> {
  const read = judgeOptions(command, args)
  if ('values' in read) return read
  ;(read.code === 0 ? process.stdout : process.stderr).write(`${read.text}\n`)
  process.exit(read.code)
}

export function judgeOptions<O extends Options>(command: Command<O>, args: readonly string[]): Read<O> {
  const { name, options, rest: restTakes } = command
  const kinds = Object.entries(options).map(([option, { takes }]) => [option, { type: takes ? 'string' : 'boolean' }] as const)
  // Whatever is wrong is said by us, so that it says what to do.
  const { tokens } = parseArgs({ args: [...args], options: Object.fromEntries(kinds), strict: false, allowPositionals: true, tokens: true })
  if (tokens.some((token) => token.kind === 'option' && (token.name === 'help' || token.name === 'h'))) return { text: helpOf(command), code: 0 }
  const usual = Object.fromEntries(Object.entries(options).map(([option, { takes, default: given }]) => [option, takes ? given : false]))
  const asked: Record<string, unknown> = {}
  const rest: string[] = []
  const wrong = (text: string) => ({ text: `${text} \`${name} -- --help\` says what there is.`, code: 2 }) as const
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (restTakes?.read(token.value) === undefined)
        return wrong(restTakes ? `It takes ${restTakes.what}, and not ${token.value}.` : `${token.value} is no option.`)
      rest.push(token.value)
    }
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (!option) return wrong(`There is no option ${token.rawName}.`)
    const value = option.takes ? option.takes.read(token.value ?? '') : token.value === undefined || undefined
    if (value === undefined) return wrong(`${token.rawName} takes ${option.takes?.what ?? 'nothing'}, and not ${token.value || 'nothing'}.`)
    asked[token.name] = value
  }
  const lonely = Object.keys(asked).find((one) => options[one]?.needs !== undefined && !Object.hasOwn(asked, options[one].needs))
  if (lonely) return wrong(`--${lonely} means something only with --${options[lonely]?.needs}.`)
  // Each was read by its own option, or is its default.
  return { values: { ...usual, ...asked } as Values<O>, asked: asked as Partial<Values<O>>, rest }
}

/** As they are said: by the names of their options, flags that are there, lists and texts. */
export function argsOf(said: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(said).flatMap(([option, value]) => {
    if (value === undefined || value === false) return []
    return value === true ? [`--${option}`] : [`--${option}`, Array.isArray(value) ? value.join() : String(value)]
  })
}

export function helpOf({ name, does, options, rest }: Command<Options>): string {
  const shown = Object.entries(options).map(([option, { takes, says, default: given }]) => {
    const usually = given === undefined || given === '' ? '' : `; without, ${String(given)}`
    return [`--${option}${takes ? ` ${takes.form}` : ''}`, `${says}${usually}`] as const
  })
  const lines = [...(rest ? [[rest.form, rest.what] as const] : []), ...shown, ['--help', 'this'] as const]
  const width = Math.max(...lines.map(([form]) => form.length))
  return [`${name} -- [options]: ${does}`, '', ...lines.map(([form, says]) => `  ${form.padEnd(width)}  ${says}`)].join('\n')
}

/** A whole number from `least` on. */
export function whole(least: number): Takes<number> {
  return { form: 'N', what: `a whole number from ${least} on`, read: (text) => wholeOf(text, least) }
}

/** Several whole numbers from 0 on. */
export const seeds: Takes<readonly number[]> = {
  form: 'N,N',
  what: 'a whole number from 0 on, or several with commas between',
  read: (text) => {
    const numbers = text.split(',').map((one) => wholeOf(one, 0))
    return numbers.every((one) => one !== undefined) ? numbers : undefined
  },
}

/** More than none, with parts. */
export const amount: Takes<number> = {
  form: 'N',
  what: 'a number above 0',
  read: (text) => (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0 ? Number(text) : undefined),
}

export function oneOf<T extends string>(names: readonly T[]): Takes<T> {
  return { form: 'NAME', what: `one of ${names.join(', ')}`, read: (text) => names.find((name) => name === text) }
}

/** Several with commas between. `mayBeNone`: '' is none of them. */
export function someOf<T extends string>(names: readonly T[], { mayBeNone = false } = {}): Takes<readonly T[]> {
  const read = (text: string) => {
    const asked = text.split(',').filter((name) => name !== '')
    const found = asked.flatMap((name) => names.find((one) => one === name) ?? [])
    return found.length === asked.length && (found.length > 0 || (mayBeNone && text === '')) ? found : undefined
  }
  return { form: 'NAME,NAME', what: `some of ${names.join(', ')}, with commas between${mayBeNone ? ", or '' for none" : ''}`, read }
}

/** A text of this form. */
export function matching(form: string, what: string, isRight: (text: string) => boolean): Takes<string> {
  return { form, what, read: (text) => (isRight(text) ? text : undefined) }
}

function wholeOf(text: string, least: number): number | undefined {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) && Number(text) >= least ? Number(text) : undefined
}
