import { HeadwaterError } from '@headwater/protocol'
import { checkAccess, type Need, type Schema } from '@headwater/schema'
import type { ServerOptions } from '../api.ts'
import { sharedOf } from '../serverColumns.ts'
import type { CaptureKinds } from './captures.ts'

/** What the app has declared: the schema of devices, that of the server, the roles that its rules name, and how its tables are captured. */
export interface Declared {
  readonly schema: Schema
  readonly serverSchema: Schema
  readonly needs: readonly Need[]
  readonly capture: CaptureKinds
}

/** Throws `access` for rules and `schema` for names of tables that cannot be. */
export function declaredOf({ schema, access, capture = {} }: Pick<ServerOptions, 'schema' | 'access' | 'capture'>): Declared {
  const shared = sharedOf(schema)
  for (const [name, kind] of Object.entries(capture)) {
    if (Object.hasOwn(shared.definitions, name) && kind === 'keys') continue
    throw new HeadwaterError(
      'schema',
      `capture.${name} is not of a table of the schema, or not 'keys'.`,
      `Name tables as the schema does: capture: { documents: 'keys' }.`,
    )
  }
  return { schema: shared, serverSchema: schema, needs: checkAccess(shared, access), capture }
}
