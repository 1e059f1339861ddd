// Sync by what it is about: projects, messages, files. A person asks for one of them, not for the engine.
import type { PendingMutation, SetAside } from '@headwater/client'

export const kindNames = ['projects', 'messages', 'files'] as const
export type KindName = (typeof kindNames)[number]

/** `here`: all there is, as far as is known. `onDemand`: loaded with a project that is opened. */
export type Held = 'here' | 'loading' | 'denied' | 'onDemand'

export interface Kind {
  readonly name: KindName
  readonly held: Held
  readonly rows: number
  readonly waiting: number
  readonly refused: number
}

export interface KindsAsked {
  readonly pending: readonly Pick<PendingMutation, 'name'>[]
  readonly setAside: readonly Pick<SetAside, 'name'>[]
  readonly held: Readonly<Record<KindName, Held>>
  readonly rows: Readonly<Record<KindName, number>>
}

export function kindsOf({ pending, setAside, held, rows }: KindsAsked): readonly Kind[] {
  const count = (all: readonly { readonly name: string }[], kind: KindName) => all.filter((one) => kindOf(one.name) === kind).length
  return kindNames.map((name) => ({ name, held: held[name], rows: rows[name], waiting: count(pending, name), refused: count(setAside, name) }))
}

/** What a mutation is about, by its name: `files.update`, `sendMessage`. Whatever is not known is about a project. */
export function kindOf(mutation: string): KindName {
  if (/^(files\.|createFile|editFile|resolveCopy|rename|deleteFile)/.test(mutation)) return 'files'
  return /^(messages\.|sendMessage|stopAnswer|continueAnswer)/.test(mutation) ? 'messages' : 'projects'
}

/** In two or three words, what matters most first. */
export function describeKind({ held, waiting, refused }: Kind): string {
  const said = [refused > 0 ? `${refused} refused` : '', waiting > 0 ? `${waiting} waiting` : ''].filter(Boolean)
  const holding = { here: 'loaded', loading: 'loading', denied: 'not yours to see', onDemand: 'when a project is open' }[held]
  return [...said, holding].join(' · ')
}
