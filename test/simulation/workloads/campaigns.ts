// Teams that people come into and leave, with campaigns on demand: what somebody may see changes all the time, and every text is one of its kind.
import { defineMutators, defineSchema, holdersMayWrite, mutator, refuse, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { z } from 'zod'
import type { Random } from '../../harness/generated/random.ts'
import { people } from './small.ts'
import { type Foreign, leaveMark, mark, marks, type Workload } from './workload.ts'

const teams = Array.from({ length: 3 }, (_, i) => `70000000-0000-4000-8000-00000000000${i}`)
const campaigns = Array.from({ length: 6 }, (_, i) => `50000000-0000-4000-8000-00000000000${i}`)
const roles = ['viewer', 'editor', 'owner']
/** Nobody is ever in this team. */
const hiddenTeam = '70000000-0000-4000-8000-000000000009'
const hiddenCampaign = '50000000-0000-4000-8000-000000000009'

const insertCampaign = 'insert into campaigns (id, team_id, name, budget) values ($1::text::uuid, $2::text::uuid, $3, $4)'
const insertAd = 'insert into ads (id, campaign_id, line) values ($1::text::uuid, $2::text::uuid, $3)'

export function revocations(): Workload {
  const schema = defineSchema({
    marks,
    members: table({ teamId: uuid(), userId: text(), role: text(), note: text() }).primaryKey('teamId', 'userId').in('team', 'teamId').in('user', 'userId'),
    campaigns: table({ id: uuid().primaryKey(), teamId: uuid(), name: text(), budget: text() })
      .in('team', 'teamId', { columns: { viewer: ['name'] } })
      .in('campaign', 'id', { load: 'onDemand', columns: { viewer: ['name'] } }),
    ads: table({ id: uuid().primaryKey(), campaignId: uuid(), line: text() }).in('campaign', 'campaignId', { load: 'onDemand' }),
  })
  const mutators = defineMutators(schema, {
    rename: mutator(z.object({ mark, id: z.uuid(), name: z.string() }), async (tx, args) => {
      const campaign = await tx.query.campaigns.where({ id: args.id }).first()
      if (!campaign) refuse('absent', 'There is no such campaign.')
      await tx.campaigns.update({ id: args.id, name: args.name })
      await leaveMark(tx, args.mark)
    }),
    draft: mutator(z.object({ mark, campaignId: z.uuid(), line: z.string() }), async (tx, args) => {
      await tx.ads.insert({ id: tx.id(), campaignId: args.campaignId, line: args.line })
      await leaveMark(tx, args.mark)
    }),
  })
  let texts = 0
  const canary = () => `§${++texts}§`
  const joins = (random: Random, team: string, person: string): Foreign => ({
    text: 'insert into members (team_id, user_id, role, note) values ($1::text::uuid, $2, $3, $4) on conflict (team_id, user_id) do update set role = excluded.role',
    parameters: [team, person, random.pick(roles), canary()],
  })
  const leaves = (team: string, person: string): Foreign => ({
    text: 'delete from members where team_id = $1::text::uuid and user_id = $2',
    parameters: [team, person],
  })
  return {
    name: 'revocations',
    schema,
    mutators,
    grants: {
      user: sql`select id as "user", id as key, 'owner' as role from people`,
      team: sql`select user_id as "user", team_id as key, role from members`,
      campaign: sql`select m.user_id as "user", c.id as key, m.role from members m join campaigns c on c.team_id = m.team_id`,
    },
    isFixed: true,
    mayWait: true,
    access: holdersMayWrite(schema),
    rows: [
      ...campaigns.map((id, i) => ({
        text: insertCampaign,
        parameters: [id, teams[i % teams.length] ?? '', canary(), canary()],
      })),
      { text: insertCampaign, parameters: [hiddenCampaign, hiddenTeam, canary(), canary()] },
      ...people.map((person, i) => ({
        text: 'insert into members (team_id, user_id, role, note) values ($1::text::uuid, $2, $3, $4)',
        parameters: [teams[i % teams.length] ?? '', person, roles[i % roles.length] ?? '', canary()],
      })),
    ],
    act: (random) => {
      const id = random.pick(campaigns)
      if (random.is(0.5)) return { name: 'rename', args: { id, name: canary() } }
      if (random.is(0.7)) return { name: 'draft', args: { campaignId: id, line: canary() } }
      return { name: 'ads.insert', args: { id: random.uuid(), campaignId: id, line: canary() } }
    },
    foreign: (random) => {
      const [team, person] = [random.pick(teams), random.pick(people)]
      const [join, leave] = [joins(random, team, person), leaves(team, person)]
      const move = { text: 'update campaigns set team_id = $2::text::uuid where id = $1::text::uuid', parameters: [random.pick(campaigns), team] }
      const spend = { text: 'update campaigns set budget = $2 where id = $1::text::uuid', parameters: [random.pick(campaigns), canary()] }
      const strike = { text: 'delete from ads where campaign_id = $1::text::uuid', parameters: [random.pick(campaigns)] }
      // Whoever goes may be back in the next moment, in the same transaction or in another one.
      const goes = { text: 'delete from members where user_id = $1', parameters: [person] }
      const empty = { text: 'truncate ads', parameters: [] }
      const hide = {
        text: insertAd,
        parameters: [random.uuid(), hiddenCampaign, canary()],
      }
      const unhide = { text: 'delete from ads where campaign_id = $1::text::uuid', parameters: [hiddenCampaign] }
      const drawn = random.some([join, leave, goes, move, spend, strike, hide, unhide], 0.3)
      return [...(random.is(0.04) ? [empty] : []), ...(random.is(0.5) ? drawn : drawn.toReversed())]
    },
    nobodys: [`team:${hiddenTeam}`, `campaign:${hiddenCampaign}`],
    flicker: (random, person) => {
      const at = random.int(campaigns.length)
      const team = teams[at % teams.length] ?? ''
      const filled = campaigns.map((id) => ({ text: insertAd, parameters: [random.uuid(), id, canary()] }))
      const emptied = [{ text: 'truncate ads', parameters: [] }, ...filled]
      return { loss: leaves(team, person), gain: joins(random, team, person), emptied, kind: 'campaign', key: campaigns[at] ?? '' }
    },
    use: (random) => ({ kind: 'campaign', key: random.pick(campaigns) }),
  }
}
