// The client of the person who is signed in, and hooks that know the schema.
import { createClient, lastScreen } from '@headwater/client'
import { createHooks } from '@headwater/react'
import { access } from '../model/access.ts'
import { mutators } from '../model/mutators.ts'
import { schema } from '../model/schema.ts'

export const openClient = (user: string) => createClient({ schema, access, mutators, url: '/', user, firstPaint: lastScreen() })
export const { useClient, useQuery, useMutate, useStatus, useSetAside } = createHooks<typeof schema, typeof mutators>()
