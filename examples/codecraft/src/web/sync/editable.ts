// The text in a refused mutation that a person can change before it is tried again.
import type { SetAside } from '@headwater/client'

export interface Editable {
  readonly field: string
  /** As it is said to a person. */
  readonly label: string
  readonly text: string
}

const labels: readonly (readonly [field: string, label: string])[] = [
  ['path', 'Path'],
  ['title', 'Title'],
  ['content', 'Text'],
]
/** Text that was made from another one is compared, not typed anew; only its place is changed here. */
const isOneText = (name: string, field: string) => field !== 'content' || name === 'sendMessage'

/** null: there is nothing in it that one could write otherwise. */
export function editableOf({ name, args }: Pick<SetAside, 'name' | 'args'>): Editable | null {
  for (const [field, label] of labels) {
    const text = membersOf(args)?.[field]
    if (typeof text === 'string' && isOneText(name, field)) return { field, label, text }
  }
  return null
}

/** The arguments with another text in their place. */
export function withText(args: SetAside['args'], field: string, text: string): SetAside['args'] {
  if (!isMembers(args)) return args
  return isMembers(args.row) ? { ...args, row: { ...args.row, [field]: text } } : { ...args, [field]: text }
}

/** Built-in mutations have their row in `row`, mutators have their arguments as they are. */
function membersOf(args: SetAside['args']): Members | null {
  if (!isMembers(args)) return null
  return isMembers(args.row) ? args.row : args
}

type Members = { readonly [name: string]: SetAside['args'] }
const isMembers = (value: SetAside['args'] | undefined): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value)
