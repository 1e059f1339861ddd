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

/** `rule: element` for each finding, once what moves has come to rest. `state` names what is shown. */
export async function axeFindings(page: Page, state: string): Promise<readonly string[]> {
  await page.evaluate(async () => {
    await Promise.all(
      document
        .getAnimations()
        .flatMap((one) => (one.effect?.getComputedTiming().iterations === Number.POSITIVE_INFINITY ? [] : [one.finished.catch(() => {})])),
    )
  })
  if (pictures) await page.screenshot({ path: join(pictures, `${state.replaceAll(/[ ,]+/g, '-')}.jpg`), type: 'jpeg', quality: 60 })
  await page.evaluate(source)
  return page.evaluate(async () => {
    // The script above put it there.
    const { axe } = globalThis as unknown as { axe: { run(context: Document, options: object): Promise<AxeRun> } }
    const { violations } = await axe.run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
  })
}
