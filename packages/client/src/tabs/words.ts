// What tabs say to each other: no rows and no mutations, which are on the disk.
import type { ScopeKey } from '@headwater/protocol'
import type { Status } from '../api.ts'

/** Of a tab that follows: it is here, uses these scopes, and writes this format. Who leads answers. */
export interface Here {
  readonly type: 'here'
  readonly tab: string
  readonly scopes: readonly ScopeKey[]
  readonly format: number
}
/** Of the tab that leads: how it stands, and which of the scopes that others use are denied. */
export interface Leads {
  readonly type: 'leads'
  readonly tab: string
  readonly phase: Status['phase']
  readonly problem: Status['problem']
  readonly denied: readonly ScopeKey[]
}
export type Message =
  | Here
  | Leads
  /** Of the tab that leads, at once: it has heard, and says more when its disk has answered. */
  | { readonly type: 'alive' }
  /** The disk has more. */
  | { readonly type: 'news' }
  /** Of a tab that follows: it could not read all of the store. Who leads has it in memory, and writes it anew. */
  | { readonly type: 'damaged' }
  /** The person has signed out: the store is about to be removed. */
  | { readonly type: 'closed' }

const isText = (value: unknown) => typeof value === 'string'
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText)

/** null: another build means something by it. Members that it has and this one does not know are of no matter. */
export function messageOf(said: string): Message | null {
  try {
    // Checked below, by what is used of each.
    const message = JSON.parse(said) as Message
    const { type } = message
    if (type === 'here') return isText(message.tab) && isTexts(message.scopes) && typeof message.format === 'number' ? message : null
    if (type === 'leads') return isText(message.tab) && isText(message.phase) && isTexts(message.denied) && isProblem(message.problem) ? message : null
    return ['alive', 'news', 'closed', 'damaged'].includes(type) ? message : null
  } catch {
    return null
  }
}

const isProblem = (problem: Status['problem']) => problem === null || (isText(problem.code) && isText(problem.message) && isText(problem.hint))
