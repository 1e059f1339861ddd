import * as limits from '../limits.ts'
import { mutation } from '../mutation.ts'
import { type Infer, list, literal, object } from '../shape.ts'

/** Mutations in the order of their numbers. Sent again after a reconnect: the server applies each at most once. */
export const push = object({ type: literal('push'), mutations: list(mutation, limits.mutationsPerPushMax) })
export type Push = Infer<typeof push>
