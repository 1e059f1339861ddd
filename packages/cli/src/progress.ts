import { paint } from './paint.ts'

const everyMs = 5_000

/** Says on stderr what is being done, and now and then for how long. Answers what to call with each step, and at the end with null. */
export function createProgress(isQuiet: boolean): (step: string | null) => void {
  let timer: NodeJS.Timeout | undefined
  return (step) => {
    clearInterval(timer)
    if (step === null || isQuiet) return
    const beganAt = performance.now()
    const say = (text: string) => process.stderr.write(`${paint('dim', text)}\n`)
    say(step)
    timer = setInterval(() => say(`${step}: ${Math.round((performance.now() - beganAt) / 1_000)} s`), everyMs)
  }
}
