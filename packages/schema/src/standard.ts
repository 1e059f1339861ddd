import { HeadwaterError } from '@headwater/protocol'

/** The part of the Standard Schema interface (standardschema.dev, version 1) that is used here: Zod, Valibot, ArkType and others offer it. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}
type StandardResult<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }
interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The validated value. Throws `invalid` with what the validator said and where. A validator that answers later cannot be used: a write shows at once. */
export function validate<Output>(schema: StandardSchema<Output>, value: unknown, what: string): Output {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) throw new HeadwaterError('invalid', `${what} is validated asynchronously.`)
  if (!result.issues) return result.value
  const said = result.issues.map(({ path = [], message }) => [...path.map((part) => String(Object(part).key ?? part)), message].join(': '))
  throw new HeadwaterError('invalid', `${what}: ${said.join('; ')}`)
}
