import type { ScopeKey } from '@headwater/protocol'
import type { LoadKind } from '@headwater/schema'

declare const brand: unique symbol
/** What a device holds or does not: the eager or the on-demand rows of one scope. */
export type StreamKey = string & { readonly [brand]: 'StreamKey' }

// A stream's key is made here and nowhere else.
export const streamKey = (load: LoadKind, scope: ScopeKey | string) => `${load === 'eager' ? 'e' : 'd'}${scope}` as StreamKey
// streamKey has put one letter before a scope.
export const streamScope = (stream: StreamKey) => stream.slice(1) as ScopeKey
export const streamLoad = (stream: StreamKey): LoadKind => (stream.startsWith('e') ? 'eager' : 'onDemand')

/** The scopes of the streams of one load. */
export const scopesWith = (streams: Iterable<StreamKey>, load: LoadKind): readonly ScopeKey[] =>
  [...streams].filter((stream) => streamLoad(stream) === load).map(streamScope)
