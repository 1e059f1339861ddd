// The mutators between real devices and a real database: what a device shows at once is what the database makes of it for good.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@headwater/client'
import { nodePorts } from '@headwater/client/node'
import { createServer, openEmbedded, type Server } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import config from '../headwater.config.ts'
import { mutators } from '../src/mutators.ts'
import { people } from '../src/people.ts'
import { schema } from '../src/schema.ts'

vi.setConfig({ testTimeout: 30_000 })

type Device = Client<typeof schema, typeof mutators>

let folder = ''
let server: Server
let url = ''
const devices: Device[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'codecraft-'))
  const database = await openEmbedded({ directory: null })
  const { schema, mutators, grants } = config
  server = await createServer({ schema, mutators: mutators ?? {}, grants, database, authenticate: ({ headers }) => headers.get('x-person') })
  const rows = JSON.stringify(people)
  await server.database.transaction('write', (transaction) =>
    transaction.query(
      'insert into users (id, name, email) select id, name, email from jsonb_to_recordset($1::text::jsonb) as row (id text, name text, email text)',
      [rows],
    ),
  )
  url = (await server.listen({ port: 0 })).url
}, 60_000)

afterAll(async () => {
  await Promise.all(devices.map((device) => device.close()))
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

function openDevice(person: string): Device {
  /** A browser sends a cookie; here the person travels as it is. */
  class Socket extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { 'x-person': person } })
    }
  }
  const directory = mkdtempSync(join(folder, `${person}-`))
  const device = createClient({ schema, mutators, url, user: person, ports: nodePorts({ directory, WebSocket: Socket }) })
  devices.push(device)
  return device
}

/** Resolves when what is asked of the devices' rows holds. */
async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 10_000, interval: 10 }).toBe(true)
}

async function newProject(device: Device, title = 'Notes'): Promise<string> {
  const id = device.id()
  expect(await device.mutate.createProject({ id, title, description: '', framework: 'react' }).confirmed).toEqual({ type: 'applied' })
  await device.scope('project', id).ready
  return id
}

const pathsOf = (device: Device, projectId: string) =>
  device.query.files
    .where({ projectId })
    .orderBy('path')
    .all()
    .map((file) => file.path)

const idOf = (device: Device, projectId: string, path: string) => device.query.files.where({ projectId, path }).first()?.id ?? ''

const newFile = (device: Device, projectId: string, path: string) => device.mutate.createFile({ id: device.id(), projectId, path, type: 'file' })

describe('a project', () => {
  test('is there at once with a message and files, and stays so when the database has it', async () => {
    const ada = openDevice('ada')
    await ada.ready
    const id = ada.id()
    const created = ada.mutate.createProject({ id, title: '  My Notes ', description: '', framework: 'vue' })
    await created.saved
    const shown = { files: pathsOf(ada, id), messages: ada.query.messages.where({ projectId: id }).all().length }
    expect(shown).toEqual({ files: ['README.md', 'package.json', 'src', 'src/App.vue'], messages: 1 })

    expect(await created.confirmed).toEqual({ type: 'applied' })
    await ada.scope('project', id).ready
    expect({ files: pathsOf(ada, id), messages: ada.query.messages.where({ projectId: id }).all().length }).toEqual(shown)
    expect(ada.query.projects.where({ id }).first()).toMatchObject({
      title: 'My Notes',
      ownerId: 'ada',
      status: 'active',
      slug: expect.stringMatching(/^my-notes-/),
    })
  })

  test('appears with those it is shared with, and leaves them when they are removed', async () => {
    const [ada, grace] = [openDevice('ada'), openDevice('grace')]
    const id = await newProject(ada)
    await ada.mutate.shareProject({ projectId: id, userId: 'grace', role: 'viewer' }).confirmed
    await until(() => grace.query.projects.where({ id }).first() !== undefined)
    await grace.scope('project', id).ready
    expect(pathsOf(grace, id)).toEqual(pathsOf(ada, id))

    await ada.mutate.shareProject({ projectId: id, userId: 'grace', role: 'editor' }).confirmed
    await until(() => grace.query.projectMembers.where({ projectId: id }).first()?.role === 'editor')
    await ada.mutate.projectMembers.delete({ projectId: id, userId: 'grace' }).confirmed
    await until(() => grace.query.projects.where({ id }).all().length + pathsOf(grace, id).length === 0)
  })

  test('is deleted with all that hangs on it, by its owner and nobody else', async () => {
    const [ada, grace] = [openDevice('ada'), openDevice('grace')]
    const id = await newProject(ada, 'Mine')
    await ada.mutate.shareProject({ projectId: id, userId: 'grace', role: 'editor' }).confirmed
    await until(() => grace.query.projects.where({ id }).first() !== undefined)
    const refused = { type: 'refused', code: 'not-owner', reason: 'Only its owner can delete “Mine”.' }
    expect(await grace.mutate.deleteProject({ id }).confirmed).toEqual(refused)
    expect(await grace.mutate.shareProject({ projectId: id, userId: 'linus', role: 'editor' }).confirmed).toMatchObject({ code: 'not-owner' })

    const deleted = ada.mutate.deleteProject({ id })
    await deleted.saved
    expect([ada.query.projects.where({ id }).all().length, pathsOf(ada, id).length]).toEqual([0, 0])
    expect(await deleted.confirmed).toEqual({ type: 'applied' })
    const [left] = await server.database.transaction('read', (transaction) =>
      transaction.query(
        'select (select count(*) from files where project_id = $1::text::uuid)::int + (select count(*) from messages where project_id = $1::text::uuid)::int as n',
        [id],
      ),
    )
    expect(left).toEqual({ n: 0 })
  })
})

describe('messages', () => {
  test('of two people who write at once have one order, without gaps or duplicates', async () => {
    const [ada, grace] = [openDevice('ada'), openDevice('grace')]
    const id = await newProject(ada)
    await ada.mutate.shareProject({ projectId: id, userId: 'grace', role: 'editor' }).confirmed
    await until(() => grace.query.projects.where({ id }).first() !== undefined)
    await grace.scope('project', id).ready
    const sent = [ada, grace].flatMap((device) =>
      Array.from({ length: 10 }, (_, i) => device.mutate.sendMessage({ id: device.id(), projectId: id, content: `${i}` })),
    )
    expect(new Set((await Promise.all(sent.map((one) => one.confirmed))).map((outcome) => outcome.type))).toEqual(new Set(['applied']))

    const sequences = (device: Device) => device.query.messages.where({ projectId: id }).orderBy('sequence').all()
    await until(() => sequences(ada).length === 21 && sequences(grace).length === 21)
    expect(sequences(ada).map((message) => message.sequence)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1))
    expect(sequences(grace)).toEqual(sequences(ada))
  })
})

describe('files', () => {
  test('make the directories they lie in', async () => {
    const ada = openDevice('ada')
    const id = await newProject(ada)
    expect(await newFile(ada, id, 'src/a/b/c.ts').confirmed).toEqual({ type: 'applied' })
    expect(pathsOf(ada, id)).toEqual(['README.md', 'package.json', 'src', 'src/App.tsx', 'src/a', 'src/a/b', 'src/a/b/c.ts'])
    expect(ada.query.files.where({ projectId: id, path: 'src/a/b/c.ts' }).first()).toMatchObject({ type: 'file', language: 'TypeScript', content: '' })
  })

  test('move with their directory, and what only begins alike stays', async () => {
    const ada = openDevice('ada')
    const id = await newProject(ada)
    newFile(ada, id, 'src2/stays.ts')
    await newFile(ada, id, 'src/deep/a.ts').confirmed
    expect(await ada.mutate.renameDirectory({ id: idOf(ada, id, 'src'), path: 'lib/code' }).confirmed).toEqual({ type: 'applied' })
    expect(pathsOf(ada, id)).toEqual([
      'README.md',
      'lib',
      'lib/code',
      'lib/code/App.tsx',
      'lib/code/deep',
      'lib/code/deep/a.ts',
      'package.json',
      'src2',
      'src2/stays.ts',
    ])
  })

  test('go with their directory', async () => {
    const ada = openDevice('ada')
    const id = await newProject(ada)
    expect(await ada.mutate.deleteFile({ id: idOf(ada, id, 'src') }).confirmed).toEqual({ type: 'applied' })
    expect(pathsOf(ada, id)).toEqual(['README.md', 'package.json'])
    expect(await ada.mutate.deleteFile({ id: ada.id() }).confirmed).toEqual({ type: 'applied' })
  })

  test.each([
    ['a name that is taken', 'exists', (ada: Device, id: string) => newFile(ada, id, 'README.md')],
    ['a path that is none', 'path', (ada: Device, id: string) => newFile(ada, id, '../secret')],
    ['a place below a file', 'not-directory', (ada: Device, id: string) => newFile(ada, id, 'README.md/a.ts')],
    ['a directory into itself', 'into-itself', (ada: Device, id: string) => ada.mutate.renameDirectory({ id: idOf(ada, id, 'src'), path: 'src/src' })],
    ['a new name that is taken', 'exists', (ada: Device, id: string) => ada.mutate.renameFile({ id: idOf(ada, id, 'README.md'), path: 'src' })],
  ])('%s is refused on the device, and nothing of it stays', async (_, code, act) => {
    const ada = openDevice('ada')
    const id = await newProject(ada)
    const before = pathsOf(ada, id)
    expect(await act(ada, id).confirmed).toMatchObject({ type: 'refused', code })
    expect(pathsOf(ada, id)).toEqual(before)
    expect([ada.status.get().pending, ada.setAside.list()]).toEqual([0, []])
  })
})
