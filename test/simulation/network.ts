// Connections between devices and servers: frames that take their time, and everything that networks do to them.
import type { OpenSocket, SocketEvents } from '@headwater/client'
import type { Connection, ConnectionEvents } from '@headwater/server'
import type { Random } from '../harness/generated/random.ts'
import { delayOf } from './chance.ts'
import type { Points } from './points.ts'
import type { Owner, Time } from './time.ts'

export type Way = 'up' | 'down'

/** One device's way to the servers, as it is now. */
export interface Line {
  /** Of one frame, one way, in milliseconds: mostly near the first. */
  delayMs: readonly [least: number, most: number]
  /** What the device's own system knows. */
  isOnline: boolean
  /** Nothing goes through this way: frames are kept, and come late, as TCP sends again. */
  readonly silent: Set<Way>
  /** How much the device reads in a millisecond; null: all. */
  bytesPerMs: number | null
  /** What the device lets go of next is used again at once, for so long. */
  readonly grasps: number[]
  /** The next frame down or up meets this. */
  readonly frames: { readonly way: Way; readonly mishap: FrameMishap; readonly claimed?: readonly string[] }[]
}

/**
 * `cut`: the connection breaks inside of the frame. The others are no network's, and no state may change by them. `claims`: the next greeting of a device that was level says that it
 * holds scopes besides that nobody was ever granted. `late`: the next piece of a load comes behind the frame after it.
 */
export type FrameMishap = 'cut' | 'truncated' | 'twice' | 'swapped' | 'garbage' | 'claims' | 'late'

export interface Host {
  readonly owner: Owner
  /** Rejects while it does not serve. */
  connect(connection: Connection, person: string): Promise<ConnectionEvents>
}

interface NetworkDeps {
  /** A server hands over a frame for somebody. */
  readonly onSend: (person: string, frame: string) => void
  readonly time: Time
  readonly points: Points
  readonly hosts: readonly Host[]
  /** A frame has arrived: who sees all that goes to devices. */
  readonly onFrame: (device: Owner, way: Way, frame: string, mishap: FrameMishap | null) => void
}

interface Wire {
  readonly way: Way
  readonly frames: { readonly frame: string; readonly atMs: number }[]
  isMoving: boolean
  bytes: number
}

export interface Network {
  socketsOf(device: Owner, person: string, line: Line, random: Random): OpenSocket
  /** Closes what a device or a server has open; `isSilent`: without a word, so that the other end does not notice. */
  cut(owner: Owner, isSilent: boolean): void
  /** Of what is dead without a word these devices are told; the others have to notice it for themselves. */
  heal(isTold: (device: Owner) => boolean): void
  open(): number
  /** Connections that are dead without a word, and whose device does not know it yet. */
  dead(): number
  /** By how many names of devices a server was greeted on connections of which it has not heard the end. */
  namesAt(host: Owner): number
  /** The newest cursor that a server has sent; null: none. */
  toldBy(host: Owner): string | null
}

export function createNetwork({ time, points, hosts, onFrame, onSend }: NetworkDeps): Network {
  const links = new Set<Link>()
  // By link: as who its device has greeted.
  const names = new Map<Link, string>()
  const told = new Map<Owner, string>()
  interface Link {
    readonly owners: readonly [device: Owner, host: Owner]
    end(isSilent: boolean): void
    answer(): void
    isDead(): boolean
  }

  function socketsOf(device: Owner, person: string, line: Line, random: Random): OpenSocket {
    return (_, events) => {
      if (points.pass(device, 'socket.open')) return { send: () => {}, close: () => {} }
      const live = hosts.filter(({ owner }) => !owner.isDead)
      const host = live.length > 0 ? random.pick(live) : null
      return connect(device, person, line, random, events, host)
    }
  }

  function connect(device: Owner, person: string, line: Line, random: Random, events: SocketEvents, host: Host | null) {
    let isOpen = true
    let isSilent = false
    let server: ConnectionEvents | null = null
    let ended: { device: boolean; server: boolean } = { device: false, server: false }
    const wires: Readonly<Record<Way, Wire>> = {
      up: { way: 'up', frames: [], isMoving: false, bytes: 0 },
      down: { way: 'down', frames: [], isMoving: false, bytes: 0 },
    }
    const travelMs = () => delayOf(random, line.delayMs[0], line.delayMs[1])

    const hangUp = (whom: 'device' | 'server', afterMs: number) => {
      if (ended[whom]) return
      ended = { ...ended, [whom]: true }
      const owner = whom === 'device' ? device : (host?.owner ?? device)
      time.timer(owner, afterMs, () => {
        if (whom === 'device') return events.onClose()
        names.delete(link)
        server?.onClose()
      })
    }
    const end = (first: 'device' | 'server' | 'network') => {
      isOpen = false
      links.delete(link)
      hangUp('device', first === 'device' ? 0 : travelMs())
      // Where nothing goes through any more, the server does not hear that the device has hung up.
      if (first !== 'device' || !isSilent) hangUp('server', first === 'server' ? 0 : travelMs())
    }
    const link: Link = {
      owners: [device, host?.owner ?? device],
      end: (silently) => {
        if (!silently) return end('network')
        isSilent = true
      },
      answer: () => isSilent && end('network'),
      isDead: () => isSilent && !device.isDead,
    }

    function deliver(wire: Wire, frame: string, mishap: FrameMishap | null = null): void {
      const to = wire.way === 'up' ? (host?.owner ?? device) : device
      if (!isOpen || to.isDead) return
      onFrame(device, wire.way, frame, mishap)
      if (wire.way === 'up' && frame.startsWith('{"type":"hello"')) names.set(link, /"device":"(.*?)"/.exec(frame)?.[1] ?? '')
      if (points.pass(to, `${wire.way === 'up' ? 'connection' : 'socket'}.message`)) return
      if (wire.way === 'up') server?.onMessage(frame)
      else events.onMessage(frame)
    }

    /** One frame after the other, none before the one in front of it. */
    function move(wire: Wire): void {
      const next = wire.frames[0]
      if (wire.isMoving || !next || !isOpen || isSilent) return
      wire.isMoving = true
      const readingMs = wire.way === 'down' && line.bytesPerMs !== null ? next.frame.length / line.bytesPerMs : 0
      time.timer(nobody, Math.max(0, next.atMs - time.now()) + readingMs, () => {
        wire.isMoving = false
        if (!isOpen || isSilent) return
        if (line.silent.has(wire.way) || (wire.way === 'down' && device.isFrozen)) return void time.timer(nobody, 50, () => move(wire))
        wire.frames.shift()
        wire.bytes -= next.frame.length
        arrive(wire, next.frame)
        move(wire)
      })
    }

    function arrive(wire: Wire, frame: string): void {
      const at = line.frames.findIndex(
        ({ way, mishap }) => way === wire.way && (mishap !== 'claims' || isResuming(frame)) && (mishap !== 'late' || isOvertaken(wire, frame)),
      )
      const [mishap] = at < 0 ? [] : line.frames.splice(at, 1)
      switch (mishap?.mishap) {
        case undefined:
          return deliver(wire, frame)
        case 'cut':
          return end('network')
        case 'truncated':
          return deliver(wire, frame.slice(0, random.int(frame.length)), 'truncated')
        case 'claims':
          return deliver(wire, claiming(frame, mishap.claimed ?? []), 'claims')
        case 'garbage':
          return deliver(wire, `${frame.slice(0, 3)}${random.uuid()}`, 'garbage')
        case 'twice':
          deliver(wire, frame, 'twice')
          return deliver(wire, frame, 'twice')
        case 'late':
        case 'swapped': {
          const behind = wire.frames.shift()
          if (behind) deliver(wire, behind.frame, mishap.mishap)
          return deliver(wire, frame, mishap.mishap)
        }
      }
    }

    function put(wire: Wire, frame: string): void {
      if (!isOpen) return
      wire.frames.push({ frame, atMs: time.now() + travelMs() })
      wire.bytes += frame.length
      move(wire)
    }

    const connection: Connection = {
      send: (frame) => {
        if (points.pass(link.owners[1], 'connection.send')) return
        if (isOpen) onSend(person, String(frame))
        const [, cursor] = /^{"type":"checkpoint","cursor":"(.*?)"/.exec(String(frame)) ?? []
        if (cursor) told.set(link.owners[1], cursor)
        put(wires.down, String(frame))
      },
      bufferedBytes: () => wires.down.bytes,
      close: () => {
        // What was said before is heard before.
        if (wires.down.frames.length === 0 || isSilent) return end('server')
        const waited = () => (wires.down.frames.length > 0 && isOpen ? void time.timer(nobody, 20, waited) : end('server'))
        waited()
      },
      destroy: () => end('server'),
    }
    links.add(link)
    time.timer(nobody, travelMs(), () => {
      if (!isOpen || isSilent) return
      if (!line.isOnline || host === null || host.owner.isDead) return end('network')
      host.connect(connection, person).then(
        (answer) => {
          server = answer
          if (!isOpen) return answer.onClose()
          time.timer(device, travelMs(), () => isOpen && !isSilent && !points.pass(device, 'socket.opened') && events.onOpen())
        },
        () => end('server'),
      )
    })
    return {
      send: (frame: string) => {
        if (isOpen && !points.pass(device, 'socket.send')) put(wires.up, frame)
      },
      close: () => {
        if (!points.pass(device, 'socket.close')) end('device')
      },
    }
  }

  return {
    socketsOf,
    cut: (owner, isSilent) => {
      for (const link of [...links]) if (link.owners.includes(owner)) link.end(isSilent)
    },
    heal: (isTold) => {
      for (const link of [...links]) if (isTold(link.owners[0])) link.answer()
    },
    open: () => links.size,
    dead: () => [...links].filter((link) => link.isDead()).length,
    toldBy: (host) => told.get(host) ?? null,
    namesAt: (host) => new Set([...names].flatMap(([{ owners }, name]) => (owners[1] === host ? [name] : []))).size,
  }
}

const isResuming = (frame: string) => frame.startsWith('{"type":"hello"') && !frame.includes('"cursor":null')

const isOvertaken = ({ frames }: Wire, frame: string) => frame.startsWith('{"type":"load"') && frames.length > 0

function claiming(frame: string, scopes: readonly string[]): string {
  const hello = JSON.parse(frame)
  return JSON.stringify({ ...hello, granted: [...hello.granted, ...scopes], held: [...hello.held, ...scopes] })
}

/** The network itself never dies. */
export const nobody: Owner = { name: 'network', isDead: false, isFrozen: false }
