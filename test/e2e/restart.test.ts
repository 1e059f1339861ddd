import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Browser, buildPages, openBrowser, signIn, untilSynced } from '../harness/codecraft.ts'
import { createProject, type Ground, prepareGround, psql, untilTitled } from '../harness/ground.ts'

let ground: Ground
let one: Browser
let other: Browser

beforeAll(async () => {
  buildPages()
  ground = await prepareGround('native')
  one = await openBrowser()
  other = await openBrowser()
  await signIn(one.page(), ground.proxies[0]?.url ?? '', 'ada')
  await signIn(other.page(), ground.proxies[1]?.url ?? '', 'ada')
})
afterAll(async () => {
  await one?.close()
  await other?.close()
  await ground?.close()
})

test('F2 PostgreSQL is restarted, then crashes, under two servers: they carry on, and nothing is lost or doubled', async () => {
  await ground.native?.restart()
  expect(await createProject(one.page(), 'After the restart')).toBe(true)
  await untilTitled(other.page(), 'After the restart')
  await untilSynced(one.page())
  await ground.native?.kill()
  expect(await createProject(one.page(), 'While PostgreSQL is down')).toBe(true)
  await ground.native?.startAgain()
  await untilTitled(other.page(), 'While PostgreSQL is down')
  await untilSynced(one.page())
  const counted = psql(
    ground.apps[0]?.sqlUrl ?? '',
    `select title, count(*) from projects where title in ('After the restart', 'While PostgreSQL is down') group by 1 order by 1`,
  )
  expect(counted.split('\n')).toEqual(['After the restart|1', 'While PostgreSQL is down|1'])
})
