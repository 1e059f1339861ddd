export type {
  Authenticated,
  AuthenticateRequest,
  Config,
  Grant,
  GrantBy,
  GrantSql,
  Grants,
  ListenOptions,
  SeedDatabase,
  Server,
  ServerMutator,
  ServerMutators,
  ServerOptions,
  ServerStatus,
  ServerTx,
  Sql,
} from './api.ts'
export { defineConfig } from './config.ts'
export { type EmbeddedDatabase, openEmbedded } from './database/embedded.ts'
export { type Gateway, openGateway } from './database/gateway.ts'
export { type NativeDatabase, openNative } from './database/native/native.ts'
export { openPostgres } from './database/postgres.ts'
export type { Explain, Explained, Part, Reason, Seer } from './explain/answer.ts'
export { readKey } from './explain/key.ts'
export { openExplain } from './explain/open.ts'
export type { LogRow } from './feed/log.ts'
export { type LogReader, openLogReader } from './follow.ts'
export { type Adopted, type Adoption, adoptDatabase, adoptions } from './identity/adopt.ts'
export { type IdentityFound, identify } from './identity/identify.ts'
export type { Finding, Known } from './identity/judge.ts'
export { type Migrated, type MigrateOptions, migrate } from './install/migrate.ts'
export { type Reset, resetDatabase, tablesToReset } from './install/reset.ts'
export { isSeeded, seedOnce } from './install/seed.ts'
export { type Uninstalled, uninstall } from './install/uninstall.ts'
export type { After, Job, JobContext, JobHandler, JobHandlers, JobLimits, Jobs } from './jobs/job.ts'
export type { LogLimits } from './limits.ts'
export { serverMutator } from './mutate/own.ts'
export type { Chance, Clock, Connection, ConnectionEvents, Database, Parameter, SqlRow, Transaction } from './ports.ts'
export { grant } from './scopes/grant.ts'
export { createServer } from './server.ts'
export { type SharedOf, withServerColumns } from './serverColumns.ts'
export { sql } from './sql/tag.ts'
export { type DatabaseStatus, type LogStatus, readStatus } from './status.ts'
