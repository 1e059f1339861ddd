// What `npm run freeze-client` makes the other file of: a tab of test/e2e/tabs, with the ports of a browser unless there are others. A tab of that day
// stays open beside those of later builds.
import { createClient, type Ports } from '@headwater/client'
import { HeadwaterError } from '@headwater/protocol'
import { mutators, schema } from '../e2e/tabs/schema.ts'

export const openTab = ({ url, user, ports = {} }: { readonly url: string; readonly user: string; readonly ports?: Partial<Ports> }) =>
  createClient({ schema, mutators, url, user, ports })

/** What its own disk throws: an error of another build is not one of this one. */
export const diskError = (code: string, message: string) => new HeadwaterError(code, message)
