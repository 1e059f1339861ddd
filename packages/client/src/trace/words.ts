// What a message is, in words. Invariant: no value of a row, no argument of a mutation, and no key of a scope is in them.
import { type Checkpoint, type Down, type Gathered, type ScopeKey, scopeKind, type Up } from '@headwater/protocol'

/** What an entry is about: connections made and lost, the greeting, rows that are loaded, changes, mutations sent, scopes asked for, who is here, whether the other end lives, and the disk. */
export type TraceKind = 'connection' | 'greeting' | 'load' | 'change' | 'mutation' | 'scope' | 'presence' | 'ping' | 'disk'

export interface Words {
  readonly kind: TraceKind
  readonly text: string
}

export function wordsOfUp(message: Up): Words {
  switch (message.type) {
    case 'hello':
      return {
        kind: 'greeting',
        text: `says hello ${message.cursor === null ? 'with nothing here' : `from its cursor, with ${message.granted.length} scopes and ${message.held.length} on demand`}`,
      }
    case 'push': {
      const [first, last] = [message.mutations[0]?.number, message.mutations.at(-1)?.number]
      return {
        kind: 'mutation',
        text: `pushes ${counted(message.mutations.map(({ name }) => name))}, number ${first === last ? first : `${first} to ${last}`}`,
      }
    }
    case 'hold':
    case 'release':
      return { kind: 'scope', text: `${message.type === 'hold' ? 'asks for' : 'lets go of'} ${kindsOf(message.scopes)}` }
    case 'verify':
    case 'repair':
      return { kind: 'scope', text: `asks to ${message.type} ${kindsOf([...message.granted, ...message.held])}` }
    case 'presence':
      return { kind: 'presence', text: `says who is here: ${kindsOf(message.says.map(({ scope }) => scope))}` }
    case 'ping':
      return { kind: 'ping', text: 'asks whether anybody is there' }
  }
}

export function wordsOfDown(message: Down | Gathered): Words {
  switch (message.type) {
    case 'presence':
      return {
        kind: 'presence',
        text: message.granted
          ? `${message.count} are in a scope of ${scopeKind(message.scope)}: +${message.here.length} -${message.gone.length}`
          : `hears nobody in a scope of ${scopeKind(message.scope)}`,
      }
    case 'welcome':
      return { kind: 'greeting', text: message.resumed ? 'welcome: what changed since follows' : `welcome: all is loaded anew (${message.reason})` }
    case 'load':
      return { kind: 'load', text: `a piece of load ${message.load}: ${message.rows.length} rows of ${message.table}` }
    case 'checkpoint':
      return { kind: message.loads.length > 0 ? 'load' : 'change', text: `checkpoint: ${partsOf(message).join('; ') || 'a newer cursor'}` }
    case 'denied':
      return { kind: 'scope', text: `denied ${kindsOf(message.scopes)}` }
    case 'pong':
      return { kind: 'ping', text: 'somebody is there' }
    case 'failure':
      return { kind: 'connection', text: `the server ends it: ${message.code}, ${message.message}` }
  }
}

function partsOf({ replace, loads, left, joined, tables, outcomes, checks, more }: Checkpoint): readonly string[] {
  const changes = [...tables].map(([table, { cleared, put, parts, gone }]) => {
    const count = put.length + (parts ?? []).reduce((sum, part) => sum + part.put.length, 0)
    return `${table} ${cleared ? 'cleared ' : ''}+${count} -${gone.length}`
  })
  return [
    ...(replace ? ['in the place of all that was here'] : []),
    ...(loads.length > 0 ? [`with ${loads.length === 1 ? 'load' : 'loads'} ${loads.join()}`] : []),
    ...(left.granted.length + left.held.length > 0 ? [`leaves ${kindsOf([...left.granted, ...left.held])}`] : []),
    ...(joined.granted.length + joined.held.length > 0 ? [`joins ${kindsOf([...joined.granted, ...joined.held])}`] : []),
    ...changes,
    ...(outcomes.length > 0 ? [counted(outcomes.map(({ type, code }) => (type === 'applied' ? type : `${type} (${code})`)))] : []),
    ...(checks !== null ? [`${checks.length} checksums`] : []),
    ...(more ? ['more is to come'] : []),
  ]
}

const kindsOf = (scopes: readonly ScopeKey[]) => (scopes.length === 0 ? 'no scope' : `scopes of ${counted(scopes.map(scopeKind))}`)

function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => (count === 1 ? word : `${count} ${word}`)).join(', ')
}
