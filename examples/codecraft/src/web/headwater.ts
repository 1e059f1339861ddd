// The hooks of this app, with its tables and mutators in their types.
import { createHooks } from '@headwater/react'
import type { mutators } from '../mutators.ts'
import type { schema } from '../schema.ts'

export const { useClient, useMutate, useQuery, useScope, useSetAside, useStatus } = createHooks<typeof schema, typeof mutators>()
