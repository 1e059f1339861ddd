// F15: a failed sync never takes the app down.
import { describe, expect, test } from 'vitest'
import { createFixture, expectLevel, project, titles } from './fixture.ts'

describe('F15: a failed sync never takes the app down', () => {
  /** The app works on what is here, and what it makes is saved, and sent when it can be. */
  async function worksOn(break_: (fixture: ReturnType<typeof createFixture>) => void, mend: (fixture: ReturnType<typeof createFixture>) => void) {
    const fixture = createFixture()
    const { clock, device, peer } = fixture
    peer.put('projects', project('p1'))
    const client = device()
    await clock.advance(100)
    let runs = 0
    const unsubscribe = client.query.projects
      .orderBy('id')
      .live()
      .subscribe(() => runs++)
    break_(fixture)
    await clock.advance(30_000)
    await client.mutate.projects.insert({ id: 'p2', title: 'Made meanwhile' }).saved
    expect(titles(client)).toEqual(['p1', 'Made meanwhile'])
    expect(runs).toBe(1)
    await clock.advance(300_000)
    expect(client.status.get()).toMatchObject({ online: false, pending: 1 })
    mend(fixture)
    await clock.advance(60_000)
    expect(client.status.get()).toMatchObject({ online: true, pending: 0, problem: null })
    expect(titles(client)).toEqual(['p1', 'Made meanwhile'])
    expectLevel(fixture, client)
    unsubscribe()
  }

  test.each<[string, (frame: string) => readonly string[]]>([
    ['a server that says nothing but garbage', () => ['%$#']],
    ['a server that says nothing', () => []],
    ['frames in another order', (frame) => (frame.includes('"welcome"') ? ['{"type":"pong"}', '{"type":"denied","scopes":[]}', frame] : [frame])],
    ['halves of frames', (frame) => [frame.slice(0, frame.length / 2), frame.slice(frame.length / 2)]],
    ['a page that somebody else answers with', () => ['<html>Sign in to our network</html>']],
  ])('%s', async (_, tamper) => {
    await worksOn(
      ({ network }) => {
        network.tamper = tamper
        network.cut()
      },
      ({ network }) => {
        network.tamper = (frame) => [frame]
      },
    )
  })

  test('a server that fails every time, with listeners of the app that throw', async () => {
    await worksOn(
      ({ network, peer }) => {
        peer.options.failure = 'internal'
        network.cut()
      },
      ({ peer }) => {
        peer.options.failure = null
      },
    )
    const { clock, device, network } = createFixture()
    const client = device()
    client.onError(() => {
      throw new Error('a listener of the app')
    })
    client.status.subscribe(() => {
      throw new Error('another')
    })
    await clock.advance(100)
    network.tamper = () => ['%$#']
    network.cut()
    await clock.advance(30_000)
    network.tamper = (frame) => [frame]
    await clock.advance(60_000)
    expect(client.status.get().online).toBe(true)
  })
})
