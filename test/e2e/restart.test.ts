import { afterAll, beforeAll, expect, test } from 'vitest'
import { untilSynced } from '../harness/codecraft.ts'
import { createProject, openTwo, psql, untilTitled } from '../harness/ground.ts'

let opened: Awaited<ReturnType<typeof openTwo>>

beforeAll(async () => {
  opened = await openTwo('native')
})
afterAll(() => opened?.close())

test('F2 PostgreSQL is restarted, then crashes, under two servers: they carry on, and nothing is lost or doubled', async () => {
  const { ground, one, other } = opened
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
