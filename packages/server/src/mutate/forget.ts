// Records of mutations that nobody can ask for any more, and incidents that nobody has asked for. Invariant: of what a device may send again, the record stays.
import { limits } from '../limits.ts'
import type { Database } from '../ports.ts'

/**
 * Takes away a piece of the old records whose outcome their device has; of those that came over HTTP, the old ones. Then the devices that were not
 * seen for long and have no records left: one that comes back after all takes a new id, and sends what it has under that. And the old incidents, and those beyond the newest: a device
 * that means harm makes one with every greeting.
 */
export async function forgetPiece(database: Database): Promise<{ readonly hasMore: boolean }> {
  const piece = limits.prunePieceRows[database.kind]
  const [records, , incidents] = await database.batch([
    {
      text: `with gone as (delete from headwater.mutations where ctid = any (array(
          select m.ctid from headwater.mutations m left join headwater.devices d on d.id = m.device
           where m.at < now() - $1::int * interval '1 day' and (m.device is null or m.number <= d.confirmed) limit $2::int)) returning 1)
        select count(*)::int as count from gone`,
      parameters: [limits.recordDays, piece],
    },
    {
      text: `delete from headwater.devices where id in (select d.id from headwater.devices d
        where d.seen_at < now() - $1::int * interval '1 day' and not exists (select from headwater.mutations m where m.device = d.id) limit $2::int)`,
      parameters: [limits.deviceDays, piece],
    },
    {
      text: `with gone as (delete from headwater.incidents where id in (select i.id from headwater.incidents i
          where i.at < now() - $1::int * interval '1 day' or i.id <= (select max(id) from headwater.incidents) - $2::int order by i.id limit $3::int) returning 1)
        select count(*)::int as count from gone`,
      parameters: [limits.incidentDays, limits.incidentsMax, piece],
    },
  ])
  return { hasMore: [records, incidents].some((gone) => Number(gone?.[0]?.count) === piece) }
}
