// The mutators between real devices and a real database: what a device shows at once is what the database makes of it for good.
import { createTestApp, type TestApp, type TestDevice } from '@headwater/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import config from '../headwater.config.ts'
import { mutators } from '../src/mutators.ts'
import { people } from '../src/people.ts'
import { schema } from '../src/schema.ts'

type Device = TestDevice<typeof schema, typeof mutators>

let app: TestApp<typeof schema, typeof mutators>

beforeEach(async () => {
  app = await createTestApp({ schema, access: config.access, mutators, grants: config.grants, settleMsMax: 20_000 })
  for (const { id, name, email } of people) await app.sql`insert into users (id, name, email) values (${id}, ${name}, ${email})`
})
afterEach(() => app.close())

async function newProject(device: Device, title = 'Notes'): Promise<string> {
  const id = device.id()
  device.mutate.createProject({ id, title, description: '', framework: 'react' })
  device.scope('project', id)
  await app.settled()
  return id
}

/** With what the other gets to see of it. */
async function share(device: Device, projectId: string, other: Device, userId: string, role: 'viewer' | 'editor'): Promise<void> {
  device.mutate.shareProject({ projectId, userId, role })
  other.scope('project', projectId)
  await app.settled()
}

const pathsOf = (device: Device, projectId: string) =>
  device.query.files
    .where({ projectId })
    .orderBy('path')
    .all()
    .map((file) => file.path)

/** What people wrote, in order. */
const contents = (device: Device, projectId: string) =>
  device.query.messages
    .where({ projectId, role: 'user' })
    .orderBy('sequence')
    .all()
    .map((message) => message.content)

const idOf = (device: Device, projectId: string, path: string) => device.query.files.where({ projectId, path }).first()?.id ?? ''

const newFile = (device: Device, projectId: string, path: string) => device.mutate.createFile({ id: device.id(), projectId, path, type: 'file' })

describe('a project', () => {
  test('is there at once with a message and files, and stays so when the database has it', async () => {
    const ada = await app.device('ada')
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
    const [ada, grace] = [await app.device('ada'), await app.device('grace')]
    const id = await newProject(ada)
    await share(ada, id, grace, 'grace', 'viewer')
    expect(pathsOf(grace, id)).toEqual(pathsOf(ada, id))

    await share(ada, id, grace, 'grace', 'editor')
    expect(grace.query.projectMembers.where({ projectId: id }).first()?.role).toBe('editor')
    ada.mutate.projectMembers.delete({ projectId: id, userId: 'grace' })
    await app.settled()
    expect([grace.query.projects.where({ id }).all(), pathsOf(grace, id)]).toEqual([[], []])
  })

  test('a viewer reads and writes nothing, an editor writes but decides nothing; devices know it beforehand, offline as well', async () => {
    const [ada, grace, linus] = [await app.device('ada'), await app.device('grace'), await app.device('linus')]
    const id = await newProject(ada)
    await share(ada, id, grace, 'grace', 'viewer')
    await share(ada, id, linus, 'linus', 'editor')
    const may = (device: Device) => {
      const project = device.query.projects.where({ id }).first()
      if (!project) throw new Error('no project')
      return [device.can.update.projects(project, ['title']), device.can.delete.projects(project), device.can.update.projects(project, ['ownerId'])]
    }
    grace.offline()
    expect([may(ada), may(linus), may(grace)]).toEqual([
      [true, true, false],
      [true, false, false],
      [false, false, false],
    ])
    grace.online()
    const readme = idOf(ada, id, 'README.md')
    const refused = { type: 'refused', code: 'forbidden' }
    expect(await grace.mutate.files.update({ id: readme, content: 'x' }).confirmed).toMatchObject({ ...refused, reason: 'You may not write content of files.' })
    expect(await grace.mutate.sendMessage({ id: grace.id(), projectId: id, content: 'x' }).confirmed).toMatchObject(refused)
    expect(await linus.mutate.files.update({ id: readme, content: 'x' }).confirmed).toMatchObject({ type: 'applied' })
    expect(await linus.mutate.projects.update({ id, ownerId: 'linus' }).confirmed).toMatchObject({
      ...refused,
      reason: 'You may not write ownerId of projects.',
    })
    expect(await linus.mutate.projectMembers.update({ projectId: id, userId: 'grace', role: 'editor' }).confirmed).toMatchObject(refused)
    ada.mutate.shareProject({ projectId: id, userId: 'grace', role: 'editor' })
    await app.settled()
    expect(may(grace)).toEqual([true, false, false])
    expect(await linus.mutate.projectMembers.delete({ projectId: id, userId: 'linus' }).confirmed).toEqual({ type: 'applied' })
  })

  test('is its maker’s to change before the database has heard of it', async () => {
    const ada = await app.device('ada')
    ada.offline()
    const id = ada.id()
    await ada.mutate.createProject({ id, title: 'New', description: '', framework: 'vue' }).saved
    const project = ada.query.projects.where({ id }).first()
    expect(project && ada.can.update.projects(project, ['title', 'updatedAt'])).toBe(true)
    ada.online()
    await app.settled()
  })

  test('is deleted with all that hangs on it, by its owner and nobody else', async () => {
    const [ada, grace] = [await app.device('ada'), await app.device('grace')]
    const id = await newProject(ada, 'Mine')
    await share(ada, id, grace, 'grace', 'editor')
    const refused = { type: 'refused', code: 'not-owner', reason: 'Only its owner can delete “Mine”.' }
    expect(await grace.mutate.deleteProject({ id }).confirmed).toEqual(refused)
    expect(await grace.mutate.shareProject({ projectId: id, userId: 'linus', role: 'editor' }).confirmed).toMatchObject({ code: 'not-owner' })

    const deleted = ada.mutate.deleteProject({ id })
    await deleted.saved
    expect([ada.query.projects.where({ id }).all().length, pathsOf(ada, id).length]).toEqual([0, 0])
    expect(await deleted.confirmed).toEqual({ type: 'applied' })
    const [left] = await app.sql`select (select count(*) from files)::int + (select count(*) from messages)::int as n`
    expect(left).toEqual({ n: 0 })
  })
})

describe('messages', () => {
  test('of two people who write at once have one order, without gaps or duplicates', async () => {
    const [ada, grace] = [await app.device('ada'), await app.device('grace')]
    const id = await newProject(ada)
    await share(ada, id, grace, 'grace', 'editor')
    const sent = [ada, grace].flatMap((device) =>
      Array.from({ length: 10 }, (_, i) => device.mutate.sendMessage({ id: device.id(), projectId: id, content: `${i}` })),
    )
    await app.settled()
    expect(new Set((await Promise.all(sent.map((one) => one.confirmed))).map((outcome) => outcome.type))).toEqual(new Set(['applied']))

    const sequences = (device: Device) => device.query.messages.where({ projectId: id }).orderBy('sequence').all()
    expect(sequences(ada).map((message) => message.sequence)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1))
    expect(sequences(grace)).toEqual(sequences(ada))
  })

  test('written offline arrive when the network is back, behind those that were sent meanwhile', async () => {
    const [ada, grace] = [await app.device('ada'), await app.device('grace')]
    const id = await newProject(ada)
    await share(ada, id, grace, 'grace', 'editor')
    grace.offline()
    grace.mutate.sendMessage({ id: grace.id(), projectId: id, content: 'from a train' })
    ada.mutate.sendMessage({ id: ada.id(), projectId: id, content: 'from a desk' })
    await grace.restart()
    await app.settled()
    expect(contents(grace, id)).toEqual(['from a train'])
    expect(contents(ada, id)).toEqual(['from a desk'])
    grace.online()
    await app.settled()
    expect(contents(ada, id)).toEqual(['from a desk', 'from a train'])
    expect(contents(grace, id)).toEqual(contents(ada, id))
  })
})

describe('files', () => {
  test('make the directories they lie in', async () => {
    const ada = await app.device('ada')
    const id = await newProject(ada)
    expect(await newFile(ada, id, 'src/a/b/c.ts').confirmed).toEqual({ type: 'applied' })
    expect(pathsOf(ada, id)).toEqual(['README.md', 'package.json', 'src', 'src/App.tsx', 'src/a', 'src/a/b', 'src/a/b/c.ts'])
    expect(ada.query.files.where({ projectId: id, path: 'src/a/b/c.ts' }).first()).toMatchObject({ type: 'file', language: 'TypeScript', content: '' })
  })

  test('move with their directory, and what only begins alike stays', async () => {
    const ada = await app.device('ada')
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
    const ada = await app.device('ada')
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
    const ada = await app.device('ada')
    const id = await newProject(ada)
    const before = pathsOf(ada, id)
    expect(await act(ada, id).confirmed).toMatchObject({ type: 'refused', code })
    expect(pathsOf(ada, id)).toEqual(before)
    expect([ada.status.get().pending, ada.setAside.list()]).toEqual([0, []])
  })
})
