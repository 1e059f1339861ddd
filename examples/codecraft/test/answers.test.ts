// The assistant between a server, a database and devices; its clock is the test's own, so that how often it writes is a count and not a matter of speed.
import { createTestApp, type TestApp, type TestDevice } from '@headwater/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import config from '../headwater.config.ts'
import { mutators } from '../src/mutators.ts'
import { people } from '../src/people.ts'
import type { schema } from '../src/schema.ts'
import { type Answers, createAnswers, tokensPerSecond, writeEveryMs } from '../src/server/assistant/answers.ts'
import { answerTo, tokensMax, tokensOf } from '../src/server/assistant/generator.ts'
import { createHub } from '../src/server/assistant/hub.ts'
import { serverMutators } from '../src/server/mutators.ts'
import { serverSchema } from '../src/server/schema.ts'
import { followAnswer, shownText } from '../src/web/project/chat/answerStream.ts'

type Device = TestDevice<typeof schema, typeof mutators>

let app: TestApp<typeof serverSchema, typeof mutators>
let answers: Answers
let now = 0
/** What the generator does before each token; a promise makes it wait. */
let beforeToken: (count: number) => Promise<void> | undefined
let tokens = 0

beforeEach(async () => {
  ;[now, tokens] = [0, 0]
  beforeToken = () => undefined
  answers = createAnswers({
    now: () => now,
    wait: async (ms) => {
      now += ms
      await beforeToken(tokens++)
      // Lets what was begun go on, as a timer would.
      await new Promise((resolve) => setImmediate(resolve))
    },
  })
  const jobs = { answer: answers.handler }
  app = await createTestApp({ schema: serverSchema, access: config.access, mutators, serverMutators, jobs, grants: config.grants, settleMsMax: 20_000 })
  for (const { id, name, email } of people) await app.sql`insert into users (id, name, email) values (${id}, ${name}, ${email})`
})
afterEach(() => app.close())

async function openProject(): Promise<{ readonly ada: Device; readonly grace: Device; readonly projectId: string }> {
  const [ada, grace] = [await app.device('ada'), await app.device('grace')]
  const projectId = ada.id()
  ada.mutate.createProject({ id: projectId, title: 'Notes', description: '', framework: 'react' })
  ada.mutate.shareProject({ projectId, userId: 'grace', role: 'editor' })
  await app.settled()
  await Promise.all([ada, grace].map((device) => device.scope('project', projectId).ready))
  return { ada, grace, projectId }
}

async function ask(device: Device, projectId: string, content = 'Explain the pagination in detail'): Promise<string> {
  const answerId = device.id()
  await device.mutate.sendMessage({ id: device.id(), projectId, content, answerId }).saved
  return answerId
}
const answerOn = (device: Device, id: string) => device.query.messages.where({ id }).first()
const until = (device: Device, id: string, state: string) => expect.poll(() => answerOn(device, id)?.state, { timeout: 30_000 }).toBe(state)
/** How often the database was written for an answer. */
const writesOf = async (id: string) =>
  Number((await app.sql`select count(*)::int as n from headwater.log where table_name = 'messages' and op = 'u' and key like ${`%${id}%`}`)[0]?.n)
const question = { prompt: 'Explain the pagination in detail', project: 'Notes', files: ['README.md', 'package.json', 'src/App.tsx'] }

/** A gate in the middle of an answer: `reached` resolves when it has come to this token, and `open` lets it go on. */
function gateAt(token: number) {
  let [arrive, open] = [() => {}, () => {}]
  const reached = new Promise<void>((resolve) => (arrive = resolve))
  const opened = new Promise<void>((resolve) => (open = resolve))
  beforeToken = (count) => {
    if (count !== token) return undefined
    arrive()
    return opened
  }
  return { reached, open: () => open() }
}

describe('an answer', () => {
  test('is written by the server behind its question, the same everywhere, with two writes a second', async () => {
    const { ada, grace, projectId } = await openProject()
    const id = await ask(ada, projectId)
    expect(answerOn(ada, id)).toMatchObject({ state: 'waiting', content: '', sequence: 3, role: 'assistant' })
    await until(grace, id, 'whole')
    await until(ada, id, 'whole')
    const whole = answerTo(question)
    expect([answerOn(ada, id)?.content, answerOn(grace, id)?.content]).toEqual([whole, whole])
    expect(tokensOf(whole)).toHaveLength(tokensMax)
    // Its beginning, its end, and one for each half second between: not one for each token.
    const halfSeconds = (tokensMax * 1_000) / tokensPerSecond / writeEveryMs
    expect(await writesOf(id)).toBeLessThanOrEqual(Math.ceil(halfSeconds) + 2)
    expect(await writesOf(id)).toBeGreaterThan(3)
  })

  test('goes token by token to the one who watches, and to nobody else', async () => {
    const { ada, projectId } = await openProject()
    const gate = gateAt(20)
    const id = await ask(ada, projectId)
    await gate.reached
    const signal = new AbortController().signal
    expect(await answers.watch(id, 'linus', signal)).toBeNull()
    const texts: string[] = []
    const request = async () => new Response(await answers.watch(id, 'ada', signal))
    const stop = followAnswer(id, (text) => texts.push(text), { request, wait: () => new Promise(() => {}) })
    gate.open()
    await until(ada, id, 'whole')
    await expect.poll(() => texts.at(-1), { timeout: 30_000 }).toBe(answerTo(question))
    stop()
    expect(texts.every((text, i) => i === 0 || text.startsWith(texts[i - 1] ?? ''))).toBe(true)
    expect(texts.length).toBeGreaterThan(4 * (await writesOf(id)))
  })

  test('is stopped where it is, and continued to the same end', async () => {
    const { ada, grace, projectId } = await openProject()
    const gate = gateAt(60)
    const id = await ask(ada, projectId)
    await gate.reached
    expect(await grace.mutate.stopAnswer({ id }).confirmed).toEqual({ type: 'applied' })
    gate.open()
    await expect.poll(async () => (await app.server.jobs.list()).length, { timeout: 30_000 }).toBe(0)
    await app.settled()
    const stopped = answerOn(ada, id)
    expect(stopped?.state).toBe('stopped')
    expect(answerTo(question).startsWith(stopped?.content ?? '?')).toBe(true)
    expect(tokensOf(stopped?.content ?? '').length).toBeLessThan(tokensMax)
    expect(await ada.mutate.continueAnswer({ id }).confirmed).toEqual({ type: 'applied' })
    await until(grace, id, 'whole')
    expect(answerOn(grace, id)?.content).toBe(answerTo(question))
  })

  test('whose server died says that it was interrupted, and can be continued', async () => {
    const { ada, projectId } = await openProject()
    const id = await ask(ada, projectId)
    await until(ada, id, 'whole')
    // As a server leaves it that is killed in the middle of it: its job comes due again, for another try.
    await app.sql`update messages set state = 'writing', content = 'I would begin', writer = 'job' where id = ${id}::text::uuid`
    const again = { key: 'job', attempt: 2, signal: new AbortController().signal, database: app.database }
    await answers.handler({ message: id }, { ...again, key: 'another job' })
    await app.settled()
    expect(answerOn(ada, id)?.state).toBe('writing')
    await answers.handler({ message: id }, again)
    await app.settled()
    expect(answerOn(ada, id)).toMatchObject({ state: 'interrupted', content: 'I would begin' })
    ada.mutate.continueAnswer({ id })
    await until(ada, id, 'whole')
    expect(answerOn(ada, id)?.content).toBe(`I would begin\n\n${answerTo(question)}`)
  })

  test('that was asked for offline is written when the network is back, and whole when its asker went away meanwhile', async () => {
    const { ada, grace, projectId } = await openProject()
    ada.offline()
    const id = await ask(ada, projectId)
    expect(answerOn(ada, id)?.state).toBe('waiting')
    const gate = gateAt(10)
    ada.online()
    await gate.reached
    ada.offline()
    gate.open()
    await until(grace, id, 'whole')
    ada.online()
    await until(ada, id, 'whole')
    expect(answerOn(ada, id)?.content).toBe(answerTo(question))
  })

  test('of a project that is deleted meanwhile ends, and troubles nobody', async () => {
    const { ada, projectId } = await openProject()
    const gate = gateAt(30)
    await ask(ada, projectId)
    await gate.reached
    expect(await ada.mutate.deleteProject({ id: projectId }).confirmed).toEqual({ type: 'applied' })
    gate.open()
    await expect.poll(async () => (await app.server.jobs.list()).length, { timeout: 30_000 }).toBe(0)
  })

  test('is not a viewer’s to ask for, stop or continue; nobody changes what it says', async () => {
    const { ada, grace, projectId } = await openProject()
    const id = await ask(ada, projectId, 'Short')
    await until(ada, id, 'whole')
    ada.mutate.shareProject({ projectId, userId: 'grace', role: 'viewer' })
    await app.settled()
    const refused = { type: 'refused', code: 'forbidden' }
    expect(await grace.mutate.sendMessage({ id: grace.id(), projectId, content: 'x', answerId: grace.id() }).confirmed).toMatchObject(refused)
    await app.sql`update messages set state = 'stopped' where id = ${id}::text::uuid`
    await app.settled()
    expect(await grace.mutate.continueAnswer({ id }).confirmed).toMatchObject(refused)
    expect(await ada.mutate.messages.update({ id, content: 'other' }).confirmed).toMatchObject(refused)
  })
})

describe('those who watch', () => {
  const all = async (stream: ReadableStream<Uint8Array> | null) => (stream ? new Response(stream).text() : null)
  const { signal } = new AbortController()

  test('get what there is as one piece if they read late, and what comes after', async () => {
    const hub = createHub()
    const answer = hub.open('a', 'One', ['ada'])
    const watched = await hub.watch('a', 'ada', signal)
    for (let i = 0; i < 1_000; i++) answer.set(`One${'.'.repeat(i)}`)
    answer.close()
    const lines = (await all(watched))?.trim().split('\n') ?? []
    expect(lines.length).toBeLessThan(20)
    expect(lines.map((line) => JSON.parse(line).text).join('')).toBe(`One${'.'.repeat(999)}`)
  })

  test('are cut off when they may not see it any more', async () => {
    const hub = createHub()
    const answer = hub.open('a', 'One', ['ada', 'grace'])
    const [ada, grace] = [all(await hub.watch('a', 'ada', signal)), all(await hub.watch('a', 'grace', signal))]
    answer.allow(['ada'])
    answer.set('One two')
    answer.close()
    expect(await grace).not.toContain('two')
    expect(await ada).toContain('two')
  })

  test('wait for one that begins after they ask, and no longer than they want', async () => {
    const hub = createHub()
    const asked = hub.watch('a', 'ada', signal)
    const answer = hub.open('a', 'One', ['ada'])
    const watched = await asked
    answer.close()
    expect(await all(watched)).toContain('One')
    const controller = new AbortController()
    const none = hub.watch('b', 'ada', controller.signal)
    controller.abort()
    expect(await none).toBeNull()
  })

  test.each([
    ['what came by itself, where it is ahead', { state: 'writing', content: 'a' }, 'ab', 'ab'],
    ['the row, where that is ahead', { state: 'writing', content: 'abc' }, 'ab', 'abc'],
    ['the row alone, once its last word is said', { state: 'interrupted', content: 'a' }, 'ab', 'a'],
  ] as const)('see %s', (_, message, streamed, shown) => expect(shownText(message, streamed)).toBe(shown))
})
