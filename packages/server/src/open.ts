import { demandsOf, type Rules, type TableDefinition, type WriteVerb } from '@headwater/schema'

/** False: the rules deny the write to everybody, whoever asks and whatever the row. */
export const isOpen = (access: Rules, name: string, table: TableDefinition, verb: WriteVerb, columns: readonly string[]): boolean =>
  demandsOf(access, name, table, verb, columns).every(({ rule }) => rule.type !== 'constant' || rule.value)
