import { checkAccess } from '@headwater/schema'
import type { ServerOptions } from '../api.ts'
import { undone } from '../install/install.ts'
import type { Database } from '../ports.ts'
import { readRelations } from '../scopes/relation.ts'
import { sharedOf } from '../serverColumns.ts'
import type { Explain } from './answer.ts'
import { createExplain } from './explain.ts'

/** Explains for somebody who runs no server: a command line, beside the server or without one. The rules are those given, the rows and grants the database's. */
export async function openExplain(database: Database, options: Pick<ServerOptions, 'access' | 'grants' | 'schema'>): Promise<Explain> {
  const { access, grants } = options
  const schema = sharedOf(options.schema)
  checkAccess(schema, access)
  const relations = await undone(database, (transaction) => readRelations(transaction, schema, grants))
  return createExplain({ database, schema, access, grants, relations })
}
