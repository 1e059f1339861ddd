// F1 W1 W2 W3 W5 under kill -9: devices write without a pause while what they write to is killed and comes back. What was confirmed before the kill is there when it
// serves again; what was made at all is there exactly once, and in each device's order, when all is settled.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@headwater/client'
import { nodePorts } from '@headwater/client/node'
import WebSocket from 'ws'
import { counters, mutators, schema } from './app.ts'
import type { Victim } from './kinds.ts'

export interface Cycles {
  /** Answers what was wrong; empty: nothing. */
  run(): Promise<readonly string[]>
  /** So far. */
  counts(): { readonly made: number; readonly confirmedBefore: number }
  close(): Promise<void>
}

/** Confirmed before the kill, and made at the most while nobody answers: by each device. More is waited for longer, and shows nothing else. */
const confirmedMax = 10
const madeMax = 12
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export async function startCycles(victim: Victim, chance: () => number): Promise<Cycles> {
  const folder = await mkdtemp(join(tmpdir(), 'hw-faults-devices-'))
  const online = new Set<() => void>()
  const devices = counters.map((_, i): Client<typeof schema, typeof mutators> => {
    const ports = nodePorts({ directory: join(folder, String(i)), WebSocket })
    const network = {
      isOnline: () => true,
      onChange: (run: () => void) => {
        online.add(run)
        return () => void online.delete(run)
      },
    }
    return createClient({ schema, mutators, url: victim.url, user: 'ada', ports: { ...ports, network } })
  })
  await Promise.all(devices.map((device) => device.ready))
  let [made, counted, confirmedBefore] = [0, 0, 0]

  /** Writes until it is told to stop. */
  function write(device: (typeof devices)[number], i: number) {
    const confirmed = new Set<string>()
    const outcomes: Promise<unknown>[] = []
    const ids: string[] = []
    const wrong: string[] = []
    let isOver = false
    const note = (id: string, what: Promise<{ readonly type: string }>) =>
      outcomes.push(
        what.then((outcome) => {
          if (outcome.type !== 'applied') wrong.push(`refused: ${JSON.stringify(outcome)}`)
          else if (id !== '') confirmed.add(id)
        }),
      )
    const running = (async () => {
      for (let n = 0; !isOver; n++) {
        if (ids.length - confirmed.size > madeMax) {
          await pause(5)
          continue
        }
        const id = crypto.randomUUID()
        ids.push(id)
        made += 2
        counted++
        note(id, device.mutate.notes.insert({ id, ownerId: 'ada', line: `line ${n}` }).confirmed)
        note('', device.mutate.count({ id: counters[i] ?? '' }).confirmed)
        await pause(5 + chance() * 20)
      }
    })()
    const settle = async () => {
      isOver = true
      await running
      await Promise.all(outcomes)
      return wrong
    }
    return { confirmed, ids, settle }
  }

  const stored = async () => new Set((await victim.query('select id::text as id from notes')).map(({ id }) => String(id)))

  async function run(): Promise<readonly string[]> {
    const writing = devices.map(write)
    const enough = 1 + chance() * confirmedMax
    while (writing.some(({ confirmed }) => confirmed.size < enough)) await pause(5)
    await pause(chance() * 50)
    await victim.hit(chance)
    const before = writing.flatMap(({ confirmed }) => [...confirmed])
    confirmedBefore += before.length
    await victim.rise()
    const risen = await stored()
    const lost = before.filter((id) => !risen.has(id))
    for (const run of online) run()
    const wrong = (await Promise.all(writing.map(({ settle }) => settle()))).flat()
    const [ids, [counter]] = [await stored(), await victim.query('select sum(n)::int as n from counters')]
    const missing = writing.flatMap((one) => one.ids).filter((id) => !ids.has(id))
    if (lost.length > 0) wrong.push(`${lost.length} that were confirmed before it were gone after it`)
    if (missing.length > 0) wrong.push(`${missing.length} that were confirmed are not there`)
    if (Number(counter?.n) !== counted) wrong.push(`counted ${counter?.n} of ${counted}`)
    wrong.push(...(await disorder()))
    // Devices hold what there is: let it not become too much.
    await victim.query('delete from notes')
    return wrong
  }

  /** By device: the number of the last of its mutations that was looked at. */
  const lookedAt = new Map<string, string>()

  /** Numbers without a gap, and carried out in their order. Of those that were looked at, the last alone is looked at again: no cycle takes longer than the one before. */
  async function disorder(): Promise<readonly string[]> {
    const seen = [...lookedAt].map(([device, number]) => `('${device}', ${number})`)
    const rows = await victim.query(
      `with seen (device, last) as (${seen.length === 0 ? 'select null::text, null::bigint where false' : `values ${seen.join()}`})
       select device, max(number)::text as last, bool_or(step <> 1 or not later) as wrong from (
         select device, number, number - coalesce(lag(number) over w, last - 1, 0) as step, coalesce(xid > lag(xid) over w, true) as later
         from headwater.mutations left join seen using (device) where device is not null and number >= coalesce(last, 0)
         window w as (partition by device order by number)) m group by device`,
    )
    for (const { device, last } of rows) lookedAt.set(String(device), String(last))
    return rows.filter(({ wrong }) => wrong).map(({ device }) => `device ${String(device)}: its mutations are not in their order, or one is missing`)
  }

  return {
    run,
    counts: () => ({ made, confirmedBefore }),
    close: async () => {
      await Promise.all(devices.map((device) => device.close()))
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
