// What of the app of campaigns.ts is the server's alone. None of its names may be found on a device.
import { integer, text } from '@headwater/schema'
import { createServer, type Database, type Server, type ServerOptions, serverMutator, sql, withServerColumns } from '@headwater/server'
import { z } from 'zod'
import { access, mutators, schema } from './campaigns.ts'

export const serverSchema = withServerColumns(schema, {
  campaigns: { fraudMemo: text().max(40).nullable().unique(), riskScore: integer().default(7) },
})

type Options = ServerOptions<typeof serverSchema, typeof mutators>

export const serverMutators: NonNullable<Options['serverMutators']> = {
  click: async (tx, { id }) => {
    const campaign = await tx.unchecked.query.campaigns.where({ id }).first()
    if (campaign) await tx.unchecked.campaigns.update({ id, clicks: campaign.clicks + 1, riskScore: campaign.riskScore + 1 })
  },
  /** Of the server alone: a memo unchecked, then a name by the rules. */
  investigate: serverMutator<typeof serverSchema, { id: string; memo: string; name: string }>(
    z.object({ id: z.uuid(), memo: z.string(), name: z.string() }),
    async (tx, { id, memo, name }) => {
      await tx.unchecked.campaigns.update({ id, fraudMemo: memo })
      await tx.campaigns.update({ id, name })
    },
  ),
}

export const grants = {
  user: sql`select id as "user", id as key, 'self' as role from people where not is_banned`,
  team: sql`select person as "user", team as key, role from team_members where role <> 'former'`,
}

export async function startCampaigns(database: Database, over: Partial<Options> = {}): Promise<Server & { readonly url: string }> {
  await database.execute(`create table if not exists people (id text primary key, is_banned boolean not null default false);
    create table if not exists team_members (person text, team text, role text check (role in ('viewer', 'editor', 'admin', 'owner', 'former')), primary key (person, team))`)
  const authenticate = ({ headers }: { headers: Headers }) => headers.get('x-user')
  const server = await createServer({ schema: serverSchema, access, mutators, serverMutators, grants, database, authenticate, ...over })
  const { url } = await server.listen({ port: 0 })
  return { ...server, url }
}
