// The last screen is painted before anything is awaited: to the person who saw it, of the database that they saw, and to nobody else.
import { scopeKey } from '@headwater/protocol'
import { defineSchema, table, text } from '@headwater/schema'
import { describe, expect, test } from 'vitest'
import { createClient } from '../src/client.ts'
import { type LastScreenOptions, lastScreen } from '../src/paint/screen.ts'
import { rowsOfText, textOfRows } from '../src/paint/text.ts'
import type { Ports } from '../src/ports.ts'
import { count } from '../src/store/group.ts'
import { many } from '../src/store/related.ts'
import { createFixture, createSlowDisks, me, message, mutators, project, schema } from './fixture.ts'
import { createNotes } from './notes.ts'
import { breathe } from './world.ts'

const url = 'http://server/'
const name = `headwater-screen ${url}`

interface Opened {
  readonly user?: string
  readonly options?: LastScreenOptions
  readonly ports?: Partial<Ports>
}

function createScreens() {
  const fixture = createFixture()
  const notes = createNotes()
  let seed = 100
  const open = ({ user = 'ada', options = {}, ports = {} }: Opened = {}) =>
    createClient({ schema, mutators, url, user, ports: { ...fixture.ports(seed++), note: notes.note, ...ports }, firstPaint: lastScreen(options) })
  type Client = ReturnType<typeof open>
  const projects = (client: Client) => client.query.projects.orderBy('id').live()
  const painted = (client: Client) => {
    const { rows, state } = projects(client).result()
    return [rows.map(({ title }) => title), state]
  }
  /** A screen that shows all projects. */
  const show = (client: Client) => projects(client).subscribe(() => {})
  const text = () => notes.texts.get(name) ?? ''
  return { ...fixture, ...notes, fixture, open, projects, painted, show, text }
}
type Screens = ReturnType<typeof createScreens>

/** Somebody has seen two projects, and closed the page. */
async function seen(screens: Screens, opened: Opened = {}) {
  screens.peer.put('projects', project('p1', 'One'))
  screens.peer.put('projects', project('p2', 'Two'))
  const client = screens.open(opened)
  screens.show(client)
  await screens.clock.advance(5_000)
  await client.close()
  return client
}

const nothing = [[], 'loading']

describe('HC30 first paint', () => {
  test('the last screen is there in the task in which the client is made, then the disk, then the network; who follows hears of each once', async () => {
    const screens = createScreens()
    await seen(screens)
    screens.peer.put('projects', project('p3', 'Three'))
    const client = screens.open()
    const heard: unknown[] = []
    screens.projects(client).subscribe(() => heard.push(screens.painted(client)))
    expect(screens.painted(client)).toEqual([['One', 'Two'], 'partial'])
    expect(screens.projects(client).result()).toBe(screens.projects(client).result())
    await client.ready
    await breathe()
    expect(heard).toEqual([[['One', 'Two'], 'complete']])
    await screens.clock.advance(1_000)
    expect(heard.slice(1)).toEqual([[['One', 'Two', 'Three'], 'complete']])
  })

  test('S7 who signs out takes the screen along: nothing is painted to anybody', async () => {
    const screens = createScreens()
    const client = screens.open()
    screens.show(client)
    screens.peer.put('projects', project('p1', 'One'))
    await screens.clock.advance(5_000)
    expect(screens.text()).toContain('One')
    const wiped = client.wipe()
    expect(screens.texts.size).toBe(0)
    await wiped
    await screens.clock.advance(5_000)
    expect(screens.texts.size).toBe(0)
    for (const user of ['ada', 'grace']) expect(screens.painted(screens.open({ user }))).toEqual(nothing)
  })

  test('S7 another person at the same place is painted nothing, and what was there of the first is gone at once', async () => {
    const screens = createScreens()
    await seen(screens)
    expect(screens.text()).toContain('One')
    const grace = screens.open({ user: 'grace' })
    expect(screens.painted(grace)).toEqual(nothing)
    expect(screens.texts.size).toBe(0)
    await screens.clock.advance(5_000)
    await grace.close()
    expect(screens.text()).not.toContain('One')
    expect(screens.painted(screens.open())).toEqual(nothing)
  })

  test('S7 after a sign-out in another tab this one writes nothing any more, and removes nothing of who signed in', async () => {
    const screens = createScreens()
    const first = screens.open()
    screens.show(first)
    screens.peer.put('projects', project('p1', 'One'))
    await screens.clock.advance(5_000)
    // What the other tab does to the text that they share.
    screens.texts.clear()
    screens.peer.put('projects', project('p2', 'Two'))
    await screens.clock.advance(10_000)
    expect(screens.texts.size).toBe(0)
    screens.texts.set(name, '["grace",null,1]')
    screens.peer.put('projects', project('p3', 'Three'))
    await screens.clock.advance(10_000)
    await first.wipe()
    expect(screens.text()).toBe('["grace",null,1]')
  })

  test('with another database at the same URL the screen goes with the rows, and is not painted again', async () => {
    const screens = createScreens()
    await seen(screens)
    screens.peer.options.database = 'db-2'
    const client = screens.open()
    screens.show(client)
    expect(screens.painted(client)[1]).toBe('partial')
    screens.peer.put('projects', { ...project('p1'), ownerId: 'linus' })
    screens.peer.put('projects', { ...project('p2'), ownerId: 'linus' })
    await screens.clock.advance(100)
    expect(screens.text()).not.toContain('One')
    await screens.clock.advance(20_000)
    await client.close()
    expect(screens.painted(screens.open())).toEqual(nothing)
  })

  test('a text of another database than the disk is gone once the disk is read', async () => {
    const screens = createScreens()
    await seen(screens)
    screens.texts.set(name, screens.text().replace('"db-1"', '"db-9"'))
    const client = screens.open()
    await client.ready
    await breathe()
    expect(screens.text()).not.toContain('One')
    expect(screens.painted(client)).toEqual([['One', 'Two'], 'complete'])
  })

  test('S2 what is revoked leaves the text with the rows, before anything else is written', async () => {
    const screens = createScreens()
    const client = screens.open()
    screens.show(client)
    screens.peer.put('projects', project('p1', 'One'))
    await screens.clock.advance(5_000)
    expect(screens.text()).toContain('One')
    screens.peer.grant([])
    await screens.clock.advance(100)
    expect(screens.painted(client)[0]).toEqual([])
    expect(screens.text()).not.toContain('One')
    await client.close()
    expect(screens.painted(screens.open())).toEqual(nothing)
  })

  test('S2 a screen that is forgotten because something was revoked is written again with what is shown all the same, and that alone', async () => {
    const screens = createScreens()
    const [mine, other] = [scopeKey('user', 'ada'), scopeKey('project', 'p1')]
    screens.peer.grant([mine, other])
    const slow = createSlowDisks(screens.disks.open)
    const client = screens.open({ ports: { openDisk: slow.openDisk } })
    screens.show(client)
    screens.peer.put('projects', project('p1', 'One'))
    await screens.clock.advance(5_000)
    expect(screens.text()).toContain('One')
    screens.peer.grant([mine])
    await screens.clock.advance(100)
    expect(screens.painted(client)).toEqual([['One'], 'complete'])
    expect(screens.text()).not.toContain('One')
    await screens.clock.advance(5_000)
    expect(screens.text()).toContain('One')

    // It is revoked while what was shown waits to be written.
    slow.hold()
    screens.peer.put('projects', project('p2', 'Two'))
    await screens.clock.advance(5_000)
    screens.peer.grant([])
    await screens.clock.advance(100)
    slow.release()
    await screens.clock.advance(100)
    expect(screens.text()).not.toMatch(/One|Two/)
    await client.close()
  })

  test('nothing is written before it is on the disk, and nothing where that fails', async () => {
    const screens = createScreens()
    const slow = createSlowDisks(screens.disks.open)
    const client = screens.open({ ports: { openDisk: slow.openDisk } })
    screens.show(client)
    await screens.clock.advance(100)
    slow.hold()
    client.mutate.projects.insert(project('p1', 'Mine'))
    screens.peer.put('projects', project('p2', 'Two'))
    await screens.clock.advance(10_000)
    expect(screens.painted(client)[0]).toEqual(['Mine', 'Two'])
    expect(screens.text()).not.toMatch(/Mine|Two/)
    slow.release()
    await screens.clock.advance(10_000)
    expect(screens.text()).toMatch(/Mine.*Two/)
    await client.close()

    const broken = createScreens()
    const other = broken.open({ ports: { openDisk: () => Promise.reject(new Error('no disk')) } })
    broken.show(other)
    broken.peer.put('projects', project('p1', 'One'))
    await broken.clock.advance(10_000)
    expect(broken.painted(other)[0]).toEqual(['One'])
    expect(broken.text()).not.toContain('One')
  })

  test('what does not fit is not painted, and of a long list its beginning is', async () => {
    const screens = createScreens()
    await seen(screens, { options: { rows: 1 } })
    const first = screens.open()
    expect(screens.painted(first)).toEqual([['One'], 'partial'])
    await first.wipe()
    const small = createScreens()
    await seen(small, { options: { characters: 100 } })
    expect(small.text().length).toBeLessThan(100)
    expect(small.painted(small.open())).toEqual(nothing)
  })

  test('shaped results are painted as they were', async () => {
    const screens = createScreens()
    screens.peer.grant([me, 'project:p1' as typeof me])
    screens.peer.put('projects', { ...project('p1', 'One'), budget: 1234567890123456789n })
    screens.peer.put('messages', message(1, 'p1'))
    const ask = (client: ReturnType<typeof screens.open>) => [
      client.query.projects.with({ messages: many(client.query.messages.orderBy('sequence'), 'projectId') }).live(),
      client.query.projects.aggregate({ all: count() }, 'isOpen').live(),
    ]
    const before = screens.open()
    before.scope('project', 'p1')
    for (const query of ask(before)) query.subscribe(() => {})
    await screens.clock.advance(5_000)
    const rows = ask(before).map((query) => query.result().rows)
    expect(rows[0]).toMatchObject([{ budget: 1234567890123456789n, messages: [{ content: 'm1' }] }])
    await before.close()
    expect(ask(screens.open()).map((query) => query.result().rows)).toEqual(rows)
  })

  test('a schema whose columns are others paints nothing', async () => {
    const screens = createScreens()
    await seen(screens)
    const other = defineSchema({ projects: table({ id: text().primaryKey(), ownerId: text(), title: text() }).in('user', 'ownerId') })
    const ports = { ...screens.ports(7), note: screens.note }
    const client = createClient({ schema: other, url, user: 'ada', ports, firstPaint: lastScreen() })
    expect(client.query.projects.orderBy('id').live().result()).toEqual({ rows: [], state: 'loading' })
  })
})

describe('what lies in localStorage is from outside', () => {
  test('cut or changed anywhere it paints what was there or nothing, and the app starts', async () => {
    const screens = createScreens()
    await seen(screens)
    const whole = screens.text()
    let painted = 0
    for (let at = 0; at <= whole.length; at += 3)
      for (const text of [whole.slice(0, at), `${whole.slice(0, at)}7${whole.slice(at + 1)}`]) {
        screens.texts.set(name, text)
        const [shown] = screens.painted(screens.open())
        if (shown?.length) {
          painted++
          expect(shown).toEqual(['One', 'Two'])
        }
      }
    // The last cut is none, and a digit may be a 7 already.
    expect(painted).toBeGreaterThan(0)
    expect(painted).toBeLessThan(whole.length / 10)
  })

  test.each(['{}', '[]', 'null', '["ada"]', '["ada","db-1",0]\nx\ny', '\n\n\n', '["ada","db-1",{"__proto__":1}]\n1\n{"__proto__":{"a":1}}'])(
    '%j paints nothing',
    async (text) => {
      const screens = createScreens()
      screens.texts.set(name, text)
      const client = screens.open()
      expect(screens.painted(client)).toEqual(nothing)
      await client.ready
      expect(screens.errors).toEqual([])
      expect(Reflect.get({}, 'a')).toBeUndefined()
    },
  )

  test('a browser that blocks or has filled it has an app without a first paint', async () => {
    const screens = createScreens()
    const blocked = () => {
      throw new Error('SecurityError')
    }
    const client = screens.open({ ports: { note: { read: () => [], write: blocked, onLeave: screens.note.onLeave } } })
    screens.show(client)
    screens.peer.put('projects', project('p1', 'One'))
    await screens.clock.advance(10_000)
    expect(screens.painted(client)).toEqual([['One'], 'complete'])
  })

  test('every value comes back as it was', () => {
    const rows = [
      { a: 1n, b: -0, c: Number.NaN, d: Number.POSITIVE_INFINITY, e: new Uint8Array([0, 255]), f: null, g: true, h: [1n, [2n]] },
      { $: ['bigint', '7'], deep: { $: { $: 1n } }, text: '</script>\n\u2028\ud800 "$"', ['__proto__']: { polluted: true } },
      JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
    ]
    expect(rowsOfText(textOfRows(rows))).toEqual(rows)
    expect(Object.is(Object(rowsOfText(textOfRows([-0])))[0], -0)).toBe(true)
    expect(() => rowsOfText('[{"$":["function","1"]}]')).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
