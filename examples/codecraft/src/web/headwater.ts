// The hooks of this app, with its tables and mutators in their types.
import { createHooks, useCan as useAnyCan } from '@headwater/react'
import type { mutators } from '../mutators.ts'
import type { schema } from '../schema.ts'

export const useCan = useAnyCan<typeof schema>
export const { useClient, useMutate, useQuery, useScope, useSetAside, useStatus } = createHooks<typeof schema, typeof mutators>()
