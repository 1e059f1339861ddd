// Every call of a port is a point at which its process may die. Which ones there are, and at which somebody has died, is counted.
import type { Owner } from './time.ts'

export interface Points {
  /** To be called at every call of a port, by its name. Answers whether the process has just died of it. */
  pass(owner: Owner, point: string): boolean
  /** It dies at the so-many-th call from now on, of this point or, with '', of any. */
  arm(owner: Owner, point: string, count: number, kill: () => void): void
  disarm(owner: Owner): void
  readonly seen: Map<string, number>
  readonly died: Map<string, number>
}

export function createPoints(onPass: (owner: Owner, point: string) => void): Points {
  const armed = new Map<Owner, { readonly point: string; left: number; readonly kill: () => void }>()
  const seen = new Map<string, number>()
  const died = new Map<string, number>()
  const count = (counts: Map<string, number>, point: string) => counts.set(point, (counts.get(point) ?? 0) + 1)
  return {
    pass: (owner, point) => {
      if (owner.isDead) return true
      count(seen, point)
      onPass(owner, point)
      const bomb = armed.get(owner)
      if (!bomb || !point.startsWith(bomb.point) || --bomb.left > 0) return false
      armed.delete(owner)
      count(died, point)
      bomb.kill()
      return true
    },
    arm: (owner, point, left, kill) => void armed.set(owner, { point, left, kill }),
    disarm: (owner) => void armed.delete(owner),
    seen,
    died,
  }
}
