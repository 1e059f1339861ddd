// A database is what it was some time ago. Invariant (F3): where servers live that know better, each notices it, and nothing is written for a device before somebody has said
// what the database is.
import { adoptDatabase } from '@headwater/server'
import { nobody } from './network.ts'
import type { Step } from './plan.ts'
import type { World } from './world.ts'

/** By then every server that lives has tried to reach its database again. */
const noticedMsMax = 12_000

export async function restore(world: World, { as, forMs, goesOn }: Extract<Step, { type: 'restore' }>): Promise<void> {
  const { time, postgres, trouble, images, psql, servers } = world
  const [kept] = images
  if (!kept) return
  world.rewound = { as, atMs: time.now() }
  trouble.isDown = true
  for (const server of servers) {
    if (as === 'unnoticed') server.kill()
    else server.database()?.lose()
  }
  const before = await look(world)
  await postgres.putBack(kept.image, time.now())
  const after = await look(world)
  if (goesOn) await postgres.turn((session) => session.queryOnce(onTo(before.next), []))
  await time.pause(nobody, forMs)
  trouble.isDown = false
  if (as === 'unnoticed') {
    for (const server of servers) server.start()
    return
  }
  const isHeld = () => servers.every(({ server }) => server()?.held())
  const isLost = before.log !== after.log
  for (const giveUpAt = time.now() + noticedMsMax; isLost && !isHeld() && time.now() < giveUpAt; ) await time.pause(nobody, 200)
  const found = isLost ? wrongOf(isHeld(), after.mutations, (await look(world)).mutations) : null
  if (found) world.findings.push({ checker: 'a lost past is noticed', text: found, atMs: time.now() - world.beganMs })
  // Nothing was lost that anybody was told of: everything has to go on as if nothing had happened.
  if (isLost) await adoptDatabase(psql, as)
  else world.rewound = null
}

function wrongOf(isHeld: boolean, mutationsThen: string, mutations: string): string | null {
  if (!isHeld) return 'the database lacks what it had, and a server goes on serving it'
  return mutations === mutationsThen ? null : `the database lacks what it had, and mutations were written to it: ${mutationsThen} and then ${mutations}`
}

/** What devices were told of, and the number of the next transaction. */
async function look({ postgres }: World): Promise<{ readonly log: string; readonly mutations: string; readonly next: string }> {
  const [row] = await postgres.turn((session) =>
    session.queryOnce(
      `select (select concat(count(*), ' ', max(seq)) from headwater.log) as log, (select count(*) from headwater.mutations)::text as mutations,
         pg_snapshot_xmax(pg_current_snapshot())::text as next`,
      [],
    ),
  )
  return { log: String(row?.log), mutations: String(row?.mutations), next: String(row?.next) }
}

/** Others write to it until it has had more transactions than before: its numbers alone say nothing any more. */
const onTo = (next: string) => `do $$ begin
  while pg_snapshot_xmax(pg_current_snapshot()) <= '${next}'::xid8 loop
    perform pg_current_xact_id();
    commit;
  end loop;
end $$`
