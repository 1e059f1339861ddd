// Codecraft as two people have it, each in a browser of their own: what section 3 of the scenarios asks for, line by line, on PGlite with one server and on native
// PostgreSQL with a server for each. What one browser shows of its own writes, and what survives crashes, is in road.test.ts.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFindings } from '../harness/axe.ts'
import { type Browser, builtPages, openBrowser, servePages, untilSynced } from '../harness/codecraft.ts'
import { createProject, type Ground, openTwo, psql, untilTitled } from '../harness/ground.ts'

const patient = { timeout: 60_000, interval: 100 }

/** With HEADWATER_LONG=1 on both. */
const kinds = process.env.HEADWATER_LONG ? (['embedded', 'native'] as const) : (['embedded'] as const)

describe.each(kinds)('codecraft on %s', (kind) => {
  let ground: Ground
  let ada: Browser
  let grace: Browser
  let close: () => Promise<void>
  /** What no database has a part in is looked at on one of them. */
  const isWhole = kind === 'embedded'
  const both = () => [ada.page(), grace.page()] as const
  const pages = () => [...both()]
  const sql = (line: string) => psql(ground.apps[0]?.sqlUrl ?? '', line)

  beforeAll(async () => {
    const opened = await openTwo(kind, 'socket', ['ada', 'grace'])
    ground = opened.ground
    ada = opened.one
    grace = opened.other
    close = opened.close
  })
  afterAll(() => close?.())

  test('messages and files come with their project, and every kind of data says how it stands', async () => {
    const page = ada.page()
    await page.getByTestId('sync-status').click()
    expect(await held(page, 'messages')).toEqual({ held: 'onDemand', rows: '0 here' })
    expect((await held(page, 'projects')).held).toBe('here')
    await page.keyboard.press('Escape')
    for (const each of pages()) await openProject(each, 'Feature flags')
    await page.getByTestId('sync-status').click()
    for (const name of ['messages', 'files'])
      await expect.poll(() => held(page, name), patient).toMatchObject({ held: 'here', rows: expect.stringMatching(/^[1-9]/) })
    await page.keyboard.press('Escape')
  })

  test('each sees that the other is here, writes, and where their cursor is; who leaves is gone', async () => {
    const [page, other] = both()
    await page.getByTestId('here').getByLabel('Grace Okoye').waitFor()
    await other.getByTestId('here').getByLabel('Ada Marsh').waitFor()
    await page.getByTestId('composer').fill('Well')
    await other.getByTestId('typing').getByText('Ada Marsh is typing').waitFor()
    await page.getByTestId('composer').fill('')
    await expect.poll(() => other.getByTestId('typing').textContent(), patient).toBe('')
    await page.getByTestId('editor').focus()
    await other.getByTestId('other-cursor').getByText('Ada Marsh').waitFor()
    await page.goBack()
    await other.getByTestId('here').waitFor({ state: 'detached' })
    await page.goForward()
    await page.getByTestId('editor').waitFor()
  })

  test('messages of two who write at once are in one order, without gaps or duplicates, the same for both and for SQL', async () => {
    await Promise.all(
      pages().map(async (page, who) => {
        for (let i = 0; i < 3; i++) await say(page, `${who === 0 ? 'Ada' : 'Grace'} ${i}`)
      }),
    )
    const id = await projectId(ada.page())
    const inOrder = async (page: Page) => (await page.getByTestId('message').evaluateAll((all) => all.map((one) => Number(one.dataset.sequence)))).join(',')
    const expected = () =>
      sql(`select string_agg(i::text, ',' order by i) from generate_series(1, (select count(*) from messages where project_id = '${id}')) i`)
    for (const page of pages()) await untilSynced(page)
    const whole = expected()
    expect(sql(`select string_agg(sequence::text, ',' order by sequence) from messages where project_id = '${id}'`)).toBe(whole)
    for (const page of pages()) await expect.poll(() => inOrder(page), patient).toBe(whole)
    // One record per id, whatever came how often.
    for (const page of pages()) expect(await page.getByTestId('message').count()).toBe(whole.split(',').length)
    // What was asked for in passing ends before the next test counts.
    await expect.poll(() => sql(`select count(*) from messages where state in ('waiting', 'writing')`), patient).toBe('0')
  })

  test('an answer appears token by token for who asked, at a bounded rate for others, and with few writes; its text is the same everywhere', async () => {
    for (const page of pages()) await watchAnswer(page)
    const beganAt = Date.now()
    await say(ada.page(), 'How would you test the percentages, in detail?')
    const id = () => sql(`select id from messages where role = 'assistant' order by sequence desc limit 1`)
    for (const page of pages()) await expect.poll(() => lastState(page), patient).toBe('whole')
    const seconds = (Date.now() - beganAt) / 1_000
    const writes = Number(sql(`select count(*) from headwater.log where table_name = 'messages' and op = 'u' and key like '%${id()}%'`))
    expect(writes).toBeLessThanOrEqual(seconds * 2 + 4)
    expect(await steps(grace.page())).toBeLessThanOrEqual(writes)
    // With several servers any of them may write it: who is not on that one sees what sync brings, as others do.
    if (kind === 'embedded') expect(await steps(ada.page())).toBeGreaterThan(await steps(grace.page()))
    const letters = (text: string) => text.replace(/[^a-z]/gi, '')
    const end = letters(sql(`select content from messages where id = '${id()}'`)).slice(-60)
    expect(end).toHaveLength(60)
    for (const page of pages()) expect(letters(await answerText(page))).toContain(end)
  })

  test('an answer that was asked for and stopped without a network stays stopped when it is back, and is continued by anybody', async () => {
    ground.proxies[0]?.cut()
    await ada.page().locator('[data-testid=sync-status][data-online=false]').waitFor({ timeout: 60_000 })
    await say(ada.page(), 'And the flags?')
    await ada.page().getByTestId('stop-answer').click()
    await expect.poll(() => lastState(ada.page()), patient).toBe('stopped')
    ground.proxies[0]?.heal()
    for (const page of pages()) await expect.poll(() => lastState(page), patient).toBe('stopped')
    await grace.page().getByTestId('continue-answer').last().click()
    for (const page of pages()) await expect.poll(() => lastState(page), patient).toBe('whole')
  })

  test('a server that is killed while it answers takes nothing of the rest with it', { timeout: 240_000 }, async () => {
    // Where the machine is so slow that the answer was whole before the server was dead, another one is asked for.
    for (let attempt = 0; ; attempt++) {
      await say(ada.page(), `What does the flag service keep, in detail? ${attempt}`)
      await expect.poll(() => lastState(grace.page()), patient).toBe('writing')
      await Promise.all(ground.apps.map((_, i) => ground.stopApp(i, 'SIGKILL')))
      if (attempt === 0) await say(ada.page(), 'Written while it was away')
      for (const [i] of ground.apps.entries()) await ground.restartApp(i)
      const cut = `select count(*) from messages a join messages q on q.project_id = a.project_id and q.sequence = a.sequence - 1
        where q.content like 'What does the flag service keep%' and a.state in ('writing', 'interrupted')`
      if (sql(cut) !== '0' || attempt === 3) break
    }
    for (const page of pages()) await page.getByTestId('message').filter({ hasText: 'Written while it was away' }).waitFor({ timeout: 60_000 })
  })

  test('the tree: directories first, and by keyboard alone a file is made, a directory renamed with what is below it, a file moved and deleted', async () => {
    const [page, other] = [ada.page(), grace.page()]
    const paths = (of: Page) => of.getByTestId('file-row').evaluateAll((all) => all.map((one) => one.dataset.path))
    const row = (path: string) => page.locator(`[data-testid=file-row][data-path="${path}"]`)
    await row('src').focus()
    await page.keyboard.press('Insert')
    await page.keyboard.type('deep/inner.ts')
    await page.keyboard.press('Enter')
    await row('src/deep/inner.ts').waitFor()
    await row('src').focus()
    await page.keyboard.press('F2')
    await page.keyboard.type('lib')
    await page.keyboard.press('Enter')
    await expect.poll(() => paths(other), patient).toContain('lib/deep/inner.ts')
    expect((await paths(other)).filter((path) => path?.startsWith('src'))).toEqual([])
    const shown = await paths(other)
    expect([shown[0], shown.at(-1)]).toEqual(['lib', 'README.md'])
    await row('lib/deep/inner.ts').focus()
    await page.keyboard.press('F6')
    await page.getByTestId('move-path').fill('top.ts')
    await page.keyboard.press('Enter')
    await row('top.ts').focus()
    await page.keyboard.press('Delete')
    await page.getByTestId('confirm-delete-file').press('Enter')
    await expect.poll(() => paths(other), patient).not.toContain('top.ts')
    await expect.poll(async () => (await paths(other)).includes('lib/deep/inner.ts'), patient).toBe(false)
  })

  test('two in one file: apart and then together what both wrote is there; where both wrote over the same, a copy is shown, and made into one text', async () => {
    const [page, other] = both()
    for (const each of [page, other]) await openFile(each, 'README.md')
    ground.proxies[0]?.cut()
    await typeAt(page, 'Control+End', 'Ada was here\n')
    await typeAt(other, 'Control+Home', 'Grace was here\n')
    ground.proxies[0]?.heal()
    for (const each of [page, other]) await expect.poll(() => textOf(each), patient).toMatch(/^Grace was here\n(?:.*\n)*Ada was here/)
    ground.proxies[0]?.cut()
    await typeAt(page, 'Control+Home', 'Over the top, says Ada. ')
    await typeAt(other, 'Control+Home', 'Over the top, says Grace. ')
    // Hers is there first.
    await expect.poll(() => sql(`select count(*) from files where content like '%says Grace%'`), patient).toBe('1')
    ground.proxies[0]?.heal()
    await page.getByTestId('conflict').waitFor({ timeout: 60_000 })
    for (const each of [page, other]) await expect.poll(() => textOf(each), patient).toContain('says Grace')
    expect(sql(`select content like '%says Ada%' and content not like '%says Grace%' from files where conflict_of is not null`)).toBe('t')
    await page.getByTestId('compare').click()
    await page.getByTestId('resolve').and(page.locator(':enabled')).waitFor()
    if (isWhole) expect(await axeFindings(page, 'one file written apart')).toEqual([])
    await page.getByTestId('resolve').click()
    for (const each of [page, other]) await expect.poll(() => textOf(each), patient).toContain('says Ada')
    await expect.poll(() => page.getByTestId('conflict').count(), patient).toBe(0)
    expect(sql(`select count(*) from files where conflict_of is not null`)).toBe('0')
  })

  test('what the database refuses is put before the person, by kind of data, and can be changed and tried again', async () => {
    const [page, other] = both()
    ground.proxies[0]?.cut()
    await makeFile(page, 'plan.md')
    await makeFile(other, 'plan.md')
    await expect.poll(() => sql(`select count(*) from files where path = 'plan.md'`), patient).toBe('1')
    ground.proxies[0]?.heal()
    await page.locator('[data-testid=sync-status][data-set-aside="1"]').waitFor({ timeout: 60_000 })
    await page.getByTestId('sync-status').click()
    expect(await page.getByTestId('kind-files').getAttribute('data-refused')).toBe('1')
    await page.getByTestId('edit-refused').click()
    if (isWhole) expect(await axeFindings(page, 'a refused change')).toEqual([])
    await page.getByTestId('refused-text').fill('plan-of-ada.md')
    await page.getByTestId('retry-edited').click()
    await page.locator('[data-testid=sync-status][data-set-aside="0"]').waitFor({ timeout: 60_000 })
    await page.keyboard.press('Escape')
    for (const each of [page, other]) await each.locator('[data-testid=file-row][data-path="plan-of-ada.md"]').waitFor({ timeout: 60_000 })
  })

  test.runIf(isWhole)('the trace is switched on, shows what sync does, is filtered and copied, and is switched off', async () => {
    const page = ada.page()
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('sync-status').click()
    await page.getByTestId('switch-trace').click()
    await page.locator('[data-testid=trace-entry][data-kind=connection]').first().waitFor()
    await say(page, 'Traced')
    await page.getByTestId('trace-mutation').click()
    expect(await axeFindings(page, 'the trace')).toEqual([])
    await page.getByTestId('trace-entry').filter({ hasText: 'pushes sendMessage' }).first().waitFor()
    expect(await page.getByTestId('trace-entry').evaluateAll((all) => new Set(all.map((one) => one.dataset.kind)).size)).toBe(1)
    await page.getByTestId('trace-filter').fill('no such words')
    await expect.poll(() => page.getByTestId('trace-entry').count(), patient).toBe(0)
    await page.getByTestId('trace-filter').fill('')
    await page.getByTestId('trace-copy').click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/mutation {4}pushes sendMessage/)
    await page.getByTestId('trace-off').click()
    await page.getByTestId('trace-panel').waitFor({ state: 'detached' })
    await page.getByTestId('composer').waitFor()
  })

  test('the answer whose server was killed says so, and is continued to its end', { timeout: 180_000 }, async () => {
    for (const page of pages()) await page.locator('[data-testid=answer][data-state=interrupted]').first().waitFor({ timeout: 90_000 })
    if (isWhole) expect(await axeFindings(grace.page(), 'an interrupted answer')).toEqual([])
    if (!isWhole) return
    await grace.page().locator('[data-testid=answer][data-state=interrupted]').getByTestId('continue-answer').first().click()
    await expect.poll(() => sql(`select count(*) from messages where state <> 'whole'`), patient).toBe('0')
    for (const page of pages()) await page.locator('[data-testid=answer][data-state=interrupted]').waitFor({ state: 'detached' })
  })

  test.runIf(isWhole)('axe finds nothing in any state, by day and by night, from a phone to a wide screen', { timeout: 240_000 }, async () => {
    const page = grace.page()
    const stranger = await openBrowser()
    const found: string[] = []
    const look = async (state: string, of = page) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await of.emulateMedia({ colorScheme })
        found.push(...(await axeFindings(of, `${state}, ${colorScheme}`)).map((finding) => `${state}, ${colorScheme}: ${finding}`))
      }
    }
    const address = page.url()
    await look('a project')
    await page.getByTestId('open-share').click()
    await look('sharing')
    await page.keyboard.press('Escape')
    await page.getByTestId('sync-status').click()
    await look('sync')
    await page.keyboard.press('Escape')
    await page.getByTestId('file-row').first().hover()
    await page.getByTestId('file-tree').getByTestId('menu').first().click()
    await look('a menu')
    await page.keyboard.press('Escape')
    await page.getByTestId('new-file').click()
    await look('a new file')
    await page.keyboard.press('Escape')
    await page.setViewportSize({ width: 375, height: 740 })
    await look('a conversation on a phone')
    await page.getByTestId('side-files').click()
    await look('files on a phone')
    await page.setViewportSize({ width: 1920, height: 1000 })
    await page.goto(new URL('/projects/00000000-0000-4000-8000-000000000000', address).href)
    await page.getByTestId('not-found').waitFor()
    await look('a project that is not there')
    await page.goto(new URL('/', address).href)
    await page.getByTestId('project-card').first().waitFor()
    await look('the dashboard')
    await page.getByTestId('search').fill('nothing has this name')
    await look('nothing found')
    await page.getByTestId('search').fill('')
    await page.getByTestId('new-project').click()
    await look('a new project')
    await page.keyboard.press('Escape')
    ground.proxies[1]?.cut()
    await page.locator('[data-testid=sync-status][data-online=false]').waitFor({ timeout: 60_000 })
    await page.getByTestId('sync-status').click()
    await look('offline')
    await page.keyboard.press('Escape')
    ground.proxies[1]?.heal()
    await page.goto(address)
    await stranger.page().goto(ground.proxies[0]?.url ?? '')
    await stranger.page().getByTestId('sign-in-linus').waitFor()
    await look('signing in', stranger.page())
    await stranger.page().getByTestId('sign-in-linus').click()
    await stranger.page().getByTestId('project-card').first().waitFor()
    // Somebody who may not see it gets the same as for what is not there.
    await stranger.page().goto(new URL(new URL(address).pathname, ground.proxies[0]?.url).href)
    await stranger.page().getByTestId('not-found').waitFor()
    await look('a project of others', stranger.page())
    await stranger.close()
    expect(found).toEqual([])
  })

  test.runIf(isWhole)('it opens without a network and without a server, whole: projects, a conversation, and the editor', async () => {
    const page = ada.page()
    const address = page.url()
    await untilSynced(page)
    await expect.poll(() => page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state), patient).toBe('activated')
    ground.proxies[0]?.cut()
    await ada.restart(address)
    await ada.page().getByTestId('editor').waitFor()
    expect(await ada.page().getByTestId('message').count()).toBeGreaterThan(5)
    await ada.page().goto(new URL('/', address).href)
    expect(await createProject(ada.page(), 'Made on a train')).toBe(true)
    await ada.page().locator('[data-testid=sync-status][data-pending="1"]').waitFor()
  })

  test.runIf(isWhole)('a new version is offered, and taken over without losing what waits', async () => {
    const page = ada.page()
    const folder = await mkdtemp(join(tmpdir(), 'hw-version-'))
    await cp(builtPages, folder, { recursive: true })
    await change(join(folder, 'index.html'), '<title>Codecraft</title>', '<title>Codecraft</title><meta name="version" content="next" />')
    await change(join(folder, 'sw.js'), /"version":"\w+"/, '"version":"next"')
    const next = await servePages(folder)
    ground.proxies[0]?.target(next.port)
    ground.proxies[0]?.heal()
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update())
    await page.getByTestId('update-now').click()
    await page.locator('meta[name=version]').waitFor({ state: 'attached' })
    await untilTitled(page, 'Made on a train')
    await page.locator('[data-testid=sync-status][data-pending="1"]').waitFor()
    ground.proxies[0]?.target(ground.apps[0]?.port ?? 0)
    ground.proxies[0]?.heal()
    await untilSynced(page)
    expect(sql(`select count(*) from projects where title = 'Made on a train'`)).toBe('1')
    await next.close()
    await rm(folder, { recursive: true, force: true })
  })
})

async function openProject(page: Page, title: string): Promise<void> {
  await page.getByTestId('project-title').getByText(title, { exact: true }).click()
  await page.getByTestId('editor').waitFor()
}
const projectId = async (page: Page) => new URL(page.url()).pathname.split('/').at(-1) ?? ''

async function held(page: Page, name: string) {
  const kind = page.getByTestId(`kind-${name}`)
  return { held: await kind.getAttribute('data-held'), rows: await kind.locator('dd').last().textContent() }
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByTestId('composer').fill(text)
  await page.getByTestId('composer').press('Enter')
}

/** Counts how often the text of the last answer grows. */
const watchAnswer = (page: Page) =>
  page.evaluate(() => {
    let length = 0
    document.body.dataset.steps = '0'
    const look = () => {
      const text = [...document.querySelectorAll('[data-testid=answer][data-state=writing]')].at(-1)?.textContent ?? ''
      if (text.length > length + 1) document.body.dataset.steps = String(Number(document.body.dataset.steps) + 1)
      length = text.length
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  })
const steps = async (page: Page) => Number(await page.evaluate(() => document.body.dataset.steps))
const lastState = (page: Page) => page.getByTestId('answer').last().getAttribute('data-state')
const answerText = async (page: Page) => (await page.getByTestId('answer').last().textContent()) ?? ''

async function openFile(page: Page, path: string): Promise<void> {
  await page.locator(`[data-testid=file-row][data-path="${path}"]`).click()
  await page.locator(`[data-testid=editor][aria-label="Content of ${path}"]`).waitFor()
}

/** Types into the editor, and waits until it is written on the device. */
async function typeAt(page: Page, key: string, text: string): Promise<void> {
  await page.getByTestId('editor').focus()
  await page.keyboard.press(key)
  await page.keyboard.insertText(text)
  await page.getByTestId('composer').focus()
}
const textOf = async (page: Page) => (await page.getByTestId('editor').locator('.cm-line').allTextContents()).join('\n')

async function makeFile(page: Page, name: string): Promise<void> {
  await page.getByTestId('new-file').click()
  await page.getByTestId('inline-name').fill(name)
  await page.keyboard.press('Enter')
  await page.locator(`[data-testid=file-row][data-path="${name}"]`).waitFor()
}

async function change(file: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  expect(text).toMatch(from)
  await writeFile(file, text.replace(from, to))
}
