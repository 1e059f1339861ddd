// Sync, in words for a person.
import type { SetAside, Status } from '@headwater/client'

export type Tone = 'calm' | 'busy' | 'waiting' | 'refused'

export interface Said {
  readonly tone: Tone
  /** Two or three words, for the pill. */
  readonly short: string
  /** A sentence, for the panel. */
  readonly long: string
}

/** What a status means. Refused work comes first: it is the only thing that waits for the person. */
export function describeStatus({ online, phase, pending, setAside, problem }: Status): Said {
  if (setAside > 0)
    return { tone: 'refused', short: `${setAside} refused`, long: `The database refused ${count(setAside, 'change')}. It is kept here until you decide.` }
  if (problem) return { tone: 'refused', short: 'Not syncing', long: [problem.message, problem.hint].filter((text) => text !== '').join(' ') }
  if (phase === 'loading') return { tone: 'busy', short: 'Loading', long: 'Loading what is yours from the database.' }
  if (!online) return offline(pending)
  if (pending > 0) return { tone: 'busy', short: `Syncing ${pending}`, long: `${count(pending, 'change')} on the way to the database.` }
  return { tone: 'calm', short: 'Synced', long: 'Everything here is in the database, and what others change appears by itself.' }
}

function offline(pending: number): Said {
  const kept = 'What you do is kept on this device and sent, in order, on return.'
  if (pending === 0) return { tone: 'waiting', short: 'Offline', long: `You are working from this device. ${kept}` }
  return { tone: 'waiting', short: `Offline · ${pending}`, long: `${count(pending, 'change')} ${pending === 1 ? 'waits' : 'wait'} for the connection. ${kept}` }
}

export const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`

const named: Readonly<Record<string, string>> = {
  createProject: 'Create a project',
  deleteProject: 'Delete a project',
  sendMessage: 'Send a message',
  stopAnswer: 'Stop an answer',
  continueAnswer: 'Continue an answer',
  createFile: 'Create a file',
  renameFile: 'Rename a file',
  renameDirectory: 'Rename a directory',
  deleteFile: 'Delete a file',
  editFile: 'Edit a file',
  resolveCopy: 'Merge two versions',
  shareProject: 'Share a project',
  'projects.update': 'Change a project',
  'projectMembers.delete': 'Remove a member',
  'files.update': 'Edit a file',
}

/** What a refused mutation would have done, with the text it names, if any. */
export function describeMutation({ name, args }: Pick<SetAside, 'name' | 'args'>): string {
  const subject = ['title', 'path', 'content'].map((field) => textIn(args, field)).find((text) => text !== null)
  const what = named[name] ?? name
  return subject === undefined || subject === null ? what : `${what}: “${shorten(subject)}”`
}

function textIn(args: unknown, field: string): string | null {
  if (typeof args !== 'object' || args === null) return null
  // Just seen to be an object; its members are looked at as unknown.
  const members = args as Readonly<Record<string, unknown>>
  const value = members[field]
  if (typeof value === 'string') return value
  return 'row' in members ? textIn(members.row, field) : null
}

function shorten(text: string): string {
  const line = text.trim().split('\n')[0] ?? ''
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}
