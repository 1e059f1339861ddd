/** Ids are branded: a Cursor can never be handed over where a ScopeKey is expected. They are strings on the wire and in memory. */
declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** One browser profile or process of one person. A uuid the device makes for itself. */
export type DeviceId = Brand<'DeviceId'>
/** The person, as `authenticate` names them. */
export type UserId = Brand<'UserId'>
/** `kind:key`, for example `project:99`. The kind holds no colon. */
export type ScopeKey = Brand<'ScopeKey'>
/** What a device has seen of the log. Made and read by the server, opaque to the device. */
export type Cursor = Brand<'Cursor'>
/** A uuid that names a mutation for ever, whatever device and number it travels under. */
export type MutationId = Brand<'MutationId'>
/** Which database this is: a uuid that is written once, when Headwater is installed. */
export type DatabaseId = Brand<'DatabaseId'>
/** Which unbroken past of that database. */
export type HistoryId = Brand<'HistoryId'>

// A brand exists for the compiler alone.
export const deviceId = (text: string) => text as DeviceId
export const userId = (text: string) => text as UserId
export const cursor = (text: string) => text as Cursor
export const mutationId = (text: string) => text as MutationId
export const databaseId = (text: string) => text as DatabaseId
export const historyId = (text: string) => text as HistoryId

// As above: the brand is given where the text is made.
export const scopeKey = (kind: string, key: string) => `${kind}:${key}` as ScopeKey
export const scopeKind = (scope: ScopeKey) => scope.slice(0, scope.indexOf(':'))
