// A plan as a person reads it: who there is, and line by line what happens.
import type { Plan, Step } from './plan.ts'

export function describe(plan: Plan): string {
  const { seed, workload, devices, tabs = [], on = [], servers, delayMs, isShort, steps, endMs } = plan
  const who = devices
    .map(
      (person, i) =>
        `device ${i} is ${person}'s${(tabs[i] ?? 1) > 1 ? `, with ${tabs[i]} tabs` : ''}${(on[i] ?? i) === i ? '' : `, on the machine of device ${on[i]}`}`,
    )
    .join(', ')
  return [
    `seed ${seed}: ${workload}; ${who}; ${servers} server${servers === 1 ? '' : 's'}${isShort ? ' short of memory' : ''}; frames take ${delayMs.join(' to ')} ms`,
    ...steps.map((step) => `${String(step.atMs).padStart(7)} ms  ${sentence(step)}`),
    `${String(endMs).padStart(7)} ms  all is calm`,
  ].join('\n')
}

function sentence(step: Step): string {
  switch (step.type) {
    case 'act':
      return `device ${step.device}: ${step.act.name} ${cut(JSON.stringify(step.act.args))}`
    case 'foreign':
      return `psql: ${step.statements.map(({ text, parameters }) => `${text} ${cut(JSON.stringify(parameters))}`).join('; ')}${step.holdMs > 0 ? `, held for ${step.holdMs} ms` : ''}${step.isUndone ? ', rolled back' : ''}`
    case 'use':
      return `device ${step.device} uses ${step.kind}:${step.key} for ${step.forMs} ms`
    case 'offline':
      return `device ${step.device} is offline for ${step.forMs} ms`
    case 'cut':
      return `device ${step.device}: its connection ${step.isSilent ? 'dies without a word' : 'is cut'}`
    case 'silence':
      return `device ${step.device}: nothing goes ${step.ways.join(' or ')} for ${step.forMs} ms`
    case 'frame':
      return `device ${step.device}: the next frame ${step.way} is ${frames[step.mishap]}`
    case 'slow':
      return `device ${step.device} reads ${step.bytesPerMs} bytes a millisecond for ${step.forMs} ms`
    case 'kill-device':
      return `device ${step.device} dies ${step.count === 0 ? 'at once' : `at its ${step.count}th ${step.point || 'call of a port'}`}, ${step.part} of its unflushed writes stay${step.disk === 'kept' ? '' : `, its disk is ${step.disk}`}; back after ${step.downMs} ms`
    case 'reopen':
      return `device ${step.device} ${step.isWiped ? 'signs out' : 'closes'} and opens after ${step.downMs} ms`
    case 'person':
      return `device ${step.device}: somebody else signs in in its person’s place, for ${step.forMs} ms`
    case 'freeze':
      return `device ${step.device} is frozen for ${step.forMs} ms`
    case 'tab':
      return `device ${step.device}: its tab ${step.tab} ${step.how === 'closed' ? 'closes' : `is ${step.how} at its ${step.count}th ${step.point || 'call of a port'}`}; opened again after ${step.downMs} ms`
    case 'clock':
      return `device ${step.device}: its clock goes by ${step.byMs} ms`
    case 'full':
      return `device ${step.device}: its disk ${step.isTight ? 'has no room to be written anew' : 'is full'} for ${step.forMs} ms`
    case 'grasp':
      return `device ${step.device}: the next scope that it lets go of is used again at once, for ${step.forMs} ms`
    case 'kill-server':
      return `server ${step.server} dies at its ${step.count}th ${step.point || 'call of a port'}; back after ${step.downMs} ms`
    case 'stop-server':
      return `server ${step.server} stops in order and starts after ${step.downMs} ms`
    case 'database':
      return `server ${step.server}: its next transaction meets ${step.mishap}`
    case 'lose':
      return `server ${step.server} loses its connections to the database${step.isInTheMiddle ? ' in the middle of the next step of its tail' : ''}`
    case 'session':
      return `device ${step.device}: its person’s sessions end${step.isTold ? ', as the servers are told' : ' by their time'}; they sign in again after ${step.forMs} ms`
    case 'migrate':
      return 'the app is migrated: a table changes in a way that no row tells'
    case 'down':
      return `the database is down for ${step.forMs} ms`
    case 'read-only':
      return `the database is read-only for ${step.forMs} ms`
    case 'crawl':
      return `the database takes ${step.slowMs} ms more for ${step.forMs} ms`
    case 'lag':
      return `servers read the log ${step.slowMs} ms later for ${step.forMs} ms`
    case 'restore':
      return `the database is what it was ${step.backMs} ms ago${step.goesOn ? ', and goes on further than it had come' : ''}: ${step.as === 'unnoticed' ? `no server runs for ${step.forMs} ms` : `it is said to be a ${step.as}`}`
  }
}

const frames = {
  late: 'behind the one after it, if it is a piece of a load',

  claims: 'one that claims what is nobody’s, if it is a greeting',
  cut: 'cut off inside',
  truncated: 'truncated',
  twice: 'there twice',
  swapped: 'behind the one after it',
  garbage: 'garbage',
}

const cut = (text: string) => (text.length > 120 ? `${text.slice(0, 120)}…` : text)
