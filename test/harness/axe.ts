// What axe-core says of a page: every rule it has, on what is shown now.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeNode {
  readonly html: string
}
interface AxeRun {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly AxeNode[] }[]
}

/** Where pictures of what is looked at are put; they are in docs/images/codecraft. */
const pictures = process.env.HEADWATER_PICTURES

/**
 * `rule: element` for each finding. `state` names what is shown. A colour that fades while axe reads it (a status that has just changed) is not what anybody
 * reads: what is found is looked at again once it rests, and counts where it is found each of three times.
 */
export async function axeFindings(page: Page, state: string): Promise<readonly string[]> {
  await rest(page)
  if (pictures) await page.screenshot({ path: join(pictures, `${state.replaceAll(/[ ,]+/g, '-')}.jpg`), type: 'jpeg', quality: 60 })
  await page.evaluate(source)
  let found = await look(page)
  for (let again = 0; again < 2 && found.length > 0; again += 1) {
    await rest(page)
    const now = await look(page)
    found = found.filter((one) => now.includes(one))
  }
  return found
}

/** Waits until what moves has come to rest, but for what moves for ever. */
const rest = (page: Page) =>
  page.evaluate(async () => {
    await Promise.all(
      document
        .getAnimations()
        .flatMap((one) => (one.effect?.getComputedTiming().iterations === Number.POSITIVE_INFINITY ? [] : [one.finished.catch(() => {})])),
    )
  })

const look = (page: Page) =>
  page.evaluate(async () => {
    // axe's script put it there.
    const { axe } = globalThis as unknown as { axe: { run(context: Document, options: object): Promise<AxeRun> } }
    const { violations } = await axe.run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
  })
