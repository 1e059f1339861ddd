// What each step of a plan does to the world.
import { migrate } from '@headwater/server'
import type { SimulatedDevice } from './device.ts'
import { nobody } from './network.ts'
import type { Step } from './plan.ts'
import { restore } from './restore.ts'
import type { Owner } from './time.ts'
import type { World } from './world.ts'

class Undone extends Error {}

export function carryOut(world: World, step: Step): void {
  const { time, network, points, trouble } = world
  const device = 'device' in step ? world.devices[step.device] : undefined
  const server = 'server' in step ? world.servers[step.server] : undefined
  const after = (ms: number, run: () => void) => void time.timer(nobody, ms, run)
  switch (step.type) {
    case 'act':
      return device?.act(step.act, step.tab)
    case 'use':
      return device?.use(step.kind, step.key, step.forMs, step.tab)
    case 'foreign':
      return void write(world, step)
    case 'offline':
      device?.setOnline(false)
      for (const owner of device?.owners() ?? []) network.cut(owner, false)
      return after(step.forMs, () => device?.setOnline(true))
    case 'cut':
      for (const owner of device?.owners() ?? []) network.cut(owner, step.isSilent)
      return
    case 'silence':
      return device && silence(world, device, step)
    case 'frame':
      return void device?.line.frames.push({ ...step, claimed: world.workload.nobodys ?? [] })
    case 'slow':
      return device && readSlowly(world, device, step)
    case 'kill-device':
      return killDevice(world, step)
    case 'reopen':
      return void device?.close(step.isWiped).then(() => after(step.downMs, device.start))
    case 'person':
      return device && exchange(world, device, step.forMs)
    case 'freeze':
      return device && freeze(world, device.owner(step.tab), step.forMs)
    case 'tab':
      return endTab(world, step)
    case 'clock':
      return device?.setClock(step.byMs)
    case 'full':
      return device && fill(world, device, step)
    case 'grasp':
      return void device?.line.grasps.push(step.forMs)
    case 'kill-server':
      if (!server || server.host.owner.isDead) return
      return points.arm(server.host.owner, step.point, step.count, () => {
        server.kill()
        after(step.downMs, server.start)
      })
    case 'stop-server':
      return void server?.stop().then(() => after(step.downMs, server.start))
    case 'database':
      return void server?.database()?.mishaps.push(step.mishap)
    case 'lose':
      return step.isInTheMiddle ? server?.database()?.loseInTheMiddle() : server?.database()?.lose()
    case 'session':
      return device && endSessions(world, device.person, step)
    case 'migrate':
      // What goes wrong with it is judged with everything else that is reported.
      return void migrate(world.psql, world.workload, { folder: 'test/simulation/migrations', mayDestroy: true }).catch((error) => world.troubles.push(error))
    case 'down':
      trouble.isDown = true
      for (const one of world.servers) one.database()?.lose()
      return after(step.forMs, () => {
        trouble.isDown = false
      })
    case 'read-only':
      setReadOnly(world, true)
      return after(step.forMs, () => setReadOnly(world, false))
    case 'crawl':
    case 'lag':
      return slow(world, step)
    case 'restore':
      if (world.images.length > 0 && !world.rewound) world.restoring = restore(world, step)
      return
  }
}

function silence({ time }: World, { line }: SimulatedDevice, { ways, forMs }: Extract<Step, { type: 'silence' }>): void {
  for (const way of ways) line.silent.add(way)
  time.timer(nobody, forMs, () => {
    for (const way of ways) line.silent.delete(way)
  })
}

function fill({ time }: World, device: SimulatedDevice, { isTight, forMs }: Extract<Step, { type: 'full' }>): void {
  device.setFull(isTight ? 'anew' : 'all')
  time.timer(nobody, forMs, () => device.setFull('nothing'))
}

function readSlowly({ time }: World, { line }: SimulatedDevice, { bytesPerMs, forMs }: Extract<Step, { type: 'slow' }>): void {
  line.bytesPerMs = bytesPerMs
  time.timer(nobody, forMs, () => {
    line.bytesPerMs = null
  })
}

/** Of one person, on all devices. Who signs in again looks at the app. */
function endSessions({ signedIn, devices, time, psql }: World, person: string, { isTold, forMs }: Extract<Step, { type: 'session' }>): void {
  if (isTold) signedIn.end(person, time.now(), false)
  if (isTold) void psql.query('select 1 from headwater.authenticate_again($1)', [person]).catch(() => {})
  time.timer(nobody, forMs, () => {
    signedIn.begin(person)
    for (const device of devices) if (device.person === person) device.setOnline(device.line.isOnline)
  })
}

/** Without signing out: what the person has made stays, for when they are there again. When all is calm both are there, each in tabs of their own. */
function exchange(world: World, device: SimulatedDevice, forMs: number): void {
  const guest = world.devices.find((other) => other !== device && other.machine === device.machine)
  const follow = async (first: SimulatedDevice, second: SimulatedDevice) => {
    if (!world.isCalm) await first.close(false)
    second.start()
    if (world.isCalm) first.start()
  }
  if (!guest) return
  void follow(device, guest)
  world.time.timer(nobody, forMs, () => void follow(guest, device))
}

function freeze({ time }: World, owner: Owner, forMs: number): void {
  if (owner.isDead) return
  owner.isFrozen = true
  time.timer(nobody, forMs, () => time.thaw(owner))
}

function setReadOnly({ trouble, postgres }: World, isReadOnly: boolean): void {
  trouble.isReadOnly = isReadOnly
  void postgres.setReadOnly(isReadOnly)
}

function killDevice({ devices, network, points, time }: World, step: Extract<Step, { type: 'kill-device' }>): void {
  const device = devices[step.device]
  if (!device?.client()) return
  const die = () => {
    for (const owner of device.owners()) network.cut(owner, step.part > 0.5)
    const other = devices.find(({ name, person }) => person === device.person && name !== device.name)
    device.kill(step.part, step.disk, (other ?? device).copy())
    time.timer(nobody, step.downMs, device.start)
  }
  if (step.count === 0) die()
  else points.arm(device.owner(step.tab), step.point, step.count, die)
}

function endTab({ devices, network, points, time }: World, { device: at, tab, how, point, count, downMs }: Extract<Step, { type: 'tab' }>): void {
  const device = devices[at]
  if (!device?.client()) return
  const again = () => void time.timer(nobody, downMs, device.start)
  if (how === 'closed') return void device.closeTab(tab).then(again)
  const owner = device.owner(tab)
  points.arm(owner, point, count, () => {
    network.cut(owner, false)
    device.killTab(owner, how)
    again()
  })
}

function slow({ trouble, time }: World, { type, slowMs, forMs }: Extract<Step, { type: 'crawl' | 'lag' }>): void {
  const what = type === 'crawl' ? 'slowMs' : 'lagMs'
  trouble[what] = slowMs
  time.timer(nobody, forMs, () => {
    trouble[what] = 0
  })
}

/** Another program's transaction. Everybody else waits for as long as it takes. */
async function write({ psql, time }: World, { statements, holdMs, isUndone }: Extract<Step, { type: 'foreign' }>): Promise<void> {
  try {
    await psql.transaction('write', async (transaction) => {
      for (const { text, parameters } of statements) await transaction.query(text, parameters)
      if (holdMs > 0) await time.pause(nobody, holdMs)
      if (isUndone) throw new Undone()
    })
  } catch {
    // A constraint has refused it, or it was meant to be undone: nothing was written, and nobody waits for it.
  }
}
