import { HeadwaterError } from '@headwater/protocol'
import type { Mutators, Schema, StandardSchema } from '@headwater/schema'
import type { ServerMutator, ServerRun } from '../api.ts'

/** A mutator that only the server has: what it takes (any Standard Schema validator) and what it does. */
export const serverMutator = <S extends Schema, Args>(args: StandardSchema<Args>, run: ServerRun<S, Args>): ServerMutator<S, Args> => ({ args, run })

/** The server's own mutators, each with what it takes: that of the shared one of the same name, if there is one. */
export function ownMutators(given: Readonly<Record<string, AnyMutator | AnyMutator['run'] | undefined>>, shared: Mutators): Mutators {
  return Object.fromEntries(Object.entries(given).flatMap(([name, own]) => (own === undefined ? [] : [[name, ownMutator(name, own, shared)]])))
}

function ownMutator(name: string, own: AnyMutator | AnyMutator['run'], shared: Mutators): AnyMutator {
  const mutator = Object.hasOwn(shared, name) ? shared[name] : undefined
  if (typeof own === 'function') {
    if (mutator) return { args: mutator.args, run: own }
    throw failure(`There is no mutator ${name} whose arguments the server's own could take.`, `Say what it takes: ${name}: serverMutator(args, run).`)
  }
  if (mutator) throw failure(`The server's own form of ${name} is not a function.`, 'It takes what the shared mutator takes.')
  return own
}

type AnyMutator = Mutators[string]

const failure = (message: string, hint: string) => new HeadwaterError('schema', message, hint)
