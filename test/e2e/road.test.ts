// The road as two people's browsers see it: on PGlite with one server, and on native PostgreSQL with each browser on a server of its own; by sockets,
// and where something on the way refuses them. With HEADWATER_LONG=1 all four.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, cardTitles, openBrowser, signIn, untilSynced } from '../harness/codecraft.ts'
import { createProject, type Ground, openTwo, psql, type Road, untilTitled } from '../harness/ground.ts'
import { startSilentProxy } from '../harness/silent-proxy.ts'

type Place = readonly ['embedded' | 'native', Road]
const grounds: readonly Place[] = [
  ['embedded', 'socket'],
  ['native', 'plain'],
]
const others: readonly Place[] = [
  ['embedded', 'plain'],
  ['native', 'socket'],
]

describe.each(process.env.HEADWATER_LONG ? [...grounds, ...others] : grounds)('two browsers on %s by %s', (kind, road) => {
  let ground: Ground
  let one: Browser
  let other: Browser
  const sqlUrl = () => ground.apps[0]?.sqlUrl ?? ''
  const countOf = (title: string) => psql(sqlUrl(), `select count(*) from projects where title = '${title}'`)
  const eventually = (read: () => string, wanted: string) => expect.poll(read, { timeout: 15_000, interval: 100 }).toBe(wanted)

  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await openTwo(kind, road)
    ground = opened.ground
    one = opened.one
    other = opened.other
    close = opened.close
  })
  afterAll(() => close?.())

  test('R1 an own change is on the screen before the next frame, in the database once, and on the other device', async () => {
    expect(await createProject(one.page(), 'Shown at once')).toBe(true)
    await untilTitled(other.page(), 'Shown at once')
    await untilSynced(one.page())
    expect(countOf('Shown at once')).toBe('1')
    expect(psql(sqlUrl(), `select count(*) from messages m join projects p on p.id = m.project_id where p.title = 'Shown at once'`)).toBe('1')
  })

  test('R8 a line typed into psql is on both devices', async () => {
    psql(sqlUrl(), `update projects set title = 'Typed into psql' where title = 'Shown at once'`)
    await untilTitled(one.page(), 'Typed into psql')
    await untilTitled(other.page(), 'Typed into psql')
  })

  test('R2 W1 with the server gone, a restarted browser shows its rows; what it changes then survives a reload, and reaches the database once', async () => {
    await untilSynced(one.page())
    const before = (await cardTitles(one.page())).toSorted()
    await ground.stopApp(0)
    await one.restart(ground.proxies[0]?.url ?? '')
    const page = one.page()
    await untilTitled(page, 'Typed into psql')
    expect((await cardTitles(page)).toSorted()).toEqual(before)
    expect(await createProject(page, 'Made offline')).toBe(true)
    await page.locator('[data-testid=sync-status][data-pending="1"]').waitFor()
    // Long enough to be saved, which takes at most 50 ms.
    await page.waitForTimeout(200)
    await page.reload()
    await untilTitled(page, 'Made offline')
    await page.locator('[data-testid=sync-status][data-pending="1"]').waitFor()
    await ground.restartApp(0)
    await untilSynced(page)
    await untilTitled(other.page(), 'Made offline')
    expect(countOf('Made offline')).toBe('1')
    expect((await cardTitles(page)).toSorted()).toEqual([...before, 'Made offline'].toSorted())
  })

  test('HC28 a page that is left in the very task of a mutation loses nothing', async () => {
    const page = one.page()
    await untilSynced(page)
    const url = page.url()
    await page.getByTestId('new-project').click()
    await page.getByTestId('new-title').fill('Left at once')
    await page.evaluate(() => {
      document.querySelector<HTMLButtonElement>('[data-testid=create]')?.click()
      location.replace('about:blank')
    })
    await page.waitForURL('about:blank')
    await page.goto(url)
    await untilTitled(page, 'Left at once')
    await untilSynced(page)
    expect(countOf('Left at once')).toBe('1')
    expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('headwater ')))).toEqual([])
  })

  test('HC30 the last screen is painted where neither the disk nor a server ever answers', async () => {
    const page = one.page()
    await untilSynced(page)
    const titles = await cardTitles(page)
    await page.waitForFunction((title) => localStorage.getItem('headwater-screen /')?.includes(title), titles[0] ?? '?')
    const stuck = await page.context().newPage()
    await stuck.addInitScript(() => {
      LockManager.prototype.request = () => new Promise(() => {})
    })
    await stuck.goto(page.url())
    await stuck.getByTestId('project-card').first().waitFor()
    expect((await cardTitles(stuck)).toSorted()).toEqual(titles.toSorted())
    expect(await stuck.getByTestId('sync-status').getAttribute('data-phase')).toBe('starting')
    await stuck.close()
  })

  test('W2 W4 W5 F1 kill -9 of the server between commit and answer: nothing acknowledged is lost, nothing is applied twice', async () => {
    await untilSynced(one.page())
    // Of plain HTTP, what is said after a request whose answer is lost waits: none may be on its way.
    if (road === 'plain') await one.page().waitForTimeout(2_000)
    ground.proxies[0]?.swallowAnswers()
    expect(await createProject(one.page(), 'Committed, not answered')).toBe(true)
    await eventually(() => countOf('Committed, not answered'), '1')
    expect(await one.page().getByTestId('sync-status').getAttribute('data-pending')).toBe('1')
    await ground.stopApp(0, 'SIGKILL')
    ground.proxies[0]?.heal()
    await ground.restartApp(0)
    await untilSynced(one.page())
    expect(countOf('Committed, not answered')).toBe('1')
    expect((await cardTitles(one.page())).filter((title) => title === 'Committed, not answered')).toHaveLength(1)
    await untilTitled(other.page(), 'Committed, not answered')
  })

  test('W3 R4 both write while apart; when they are together again both show the same, and what SQL says', async () => {
    for (const proxy of ground.proxies) proxy.cut()
    await Promise.all([createProjects(one.page(), 'One'), createProjects(other.page(), 'Other')])
    expect(await cardTitles(other.page())).not.toContain('One 1')
    for (const proxy of ground.proxies) proxy.heal()
    await untilSynced(one.page())
    await untilSynced(other.page())
    const mine = `status = 'active' and (owner_id = 'ada' or id in (select project_id from project_members where user_id = 'ada'))`
    const rows = psql(sqlUrl(), `select title from projects where ${mine}`).split('\n').toSorted()
    expect(rows).toEqual(expect.arrayContaining(['One 1', 'One 2', 'Other 1', 'Other 2']))
    for (const browser of [one, other]) await expect.poll(async () => (await cardTitles(browser.page())).toSorted(), { timeout: 15_000 }).toEqual(rows)
    const order = psql(
      sqlUrl(),
      `select string_agg(title, ',' order by l.seq) from headwater.log l join projects p on l.key = json_build_array(p.id)::text where l.op = 'i' and p.title like 'One %'`,
    )
    expect(order).toBe('One 1,One 2,One 3')
  })

  test('a browser that goes offline says so at once, and is level again when it is back', async () => {
    const status = one.page().getByTestId('sync-status')
    await one.page().context().setOffline(true)
    await expect.poll(() => status.getAttribute('data-online'), { timeout: 5_000 }).toBe('false')
    expect(await createProject(one.page(), 'Without a network')).toBe(true)
    await one.page().context().setOffline(false)
    await untilSynced(one.page())
    await untilTitled(other.page(), 'Without a network')
  })

  test.runIf(road === 'plain')('F15 what goes without sockets cannot be fetched: the app works on, and fetches it when it can be', async () => {
    const browser = await openBrowser({ serviceWorkers: 'block' })
    let tries = 0
    await browser.page().route(/\/plain-[^/]*\.js$/, (route) => {
      tries++
      return route.abort()
    })
    await browser.page().goto(ground.proxies[0]?.url ?? '')
    await browser.page().getByTestId('sign-in-ada').click()
    await expect.poll(() => tries, { timeout: 20_000 }).toBeGreaterThan(1)
    expect(await browser.page().getByTestId('sync-status').getAttribute('data-online')).toBe('false')
    await browser.page().unroute(/\/plain-[^/]*\.js$/)
    await browser.page().getByTestId('project-card').first().waitFor()
    await browser.close()
  })

  test('S1 somebody else sees nothing of it', async () => {
    const stranger = await openBrowser()
    const proxy = await startSilentProxy(ground.apps[0]?.port ?? 0)
    if (road === 'plain') proxy.refuseUpgrades(400)
    await signIn(stranger.page(), proxy.url, 'linus')
    psql(sqlUrl(), `update projects set title = 'For Ada alone' where title = 'Made offline'`)
    await untilTitled(one.page(), 'For Ada alone')
    expect(await cardTitles(stranger.page())).not.toContain('For Ada alone')
    // Every byte that was sent, frames and pages.
    expect(proxy.said()).toMatch(/"type":"checkpoint"/)
    expect(proxy.said()).not.toMatch(/For Ada alone|Made offline|Typed into psql/)
    // S7: who signs out leaves nothing that could be painted.
    await stranger.page().waitForFunction(() => localStorage.getItem('headwater-screen /')?.includes('"linus"'))
    await stranger.page().getByTestId('person').click()
    await stranger.page().getByTestId('sign-out').click()
    await stranger.page().waitForFunction(() => localStorage.getItem('headwater-screen /') === null)
    await stranger.close()
    await proxy.close()
  })
})

async function createProjects(page: Page, title: string): Promise<void> {
  for (const i of [1, 2, 3]) expect(await createProject(page, `${title} ${i}`)).toBe(true)
}
