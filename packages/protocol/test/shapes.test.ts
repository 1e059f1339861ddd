import { createHash } from 'node:crypto'
import { asideShapes, downShapes, failureCodes, protocolVersion, type Shape, upShapes } from '@headwater/protocol'
import { expect, test } from 'vitest'

const pinned = { version: 1, hash: '0ce8d132eab7131c' }

const whatToDo = `
The shape of a message has changed. Devices of last week are still out there, and speak the old one. In one commit:
1. If a peer that does not know of the change would be misled, raise protocolVersion, and keep the old version working.
   (A member that is added and may be missing, or that an old peer may drop, needs no new version.)
2. Write the change into the version history and the message's row in packages/protocol/SPEC.md.
3. Put the new hash here.`

test('the shapes of all messages are those of the pinned version', () => {
  const names = (shapes: Readonly<Record<string, Shape<unknown>>>) => Object.entries(shapes).map(([type, shape]) => [type, nameOf(shape)])
  const all = JSON.stringify([names(upShapes), names(downShapes), names(asideShapes), failureCodes])
  const hash = createHash('sha256').update(all).digest('hex').slice(0, 16)
  expect({ version: protocolVersion, hash }, whatToDo).toEqual(pinned)
})

test('every shape is found by the type it demands', () => {
  for (const [type, shape] of [...Object.entries(upShapes), ...Object.entries(downShapes), ...Object.entries(asideShapes)])
    expect(nameOf(shape)).toMatch(new RegExp(`^{type:${type}[,}]`))
})

/** All that a shape demands, as a text. */
function nameOf(shape: Shape<unknown>): string {
  switch (shape.type) {
    case 'leaf':
      return shape.name
    case 'nullable':
      return `${nameOf(shape.of)}?`
    case 'list':
      return `[${nameOf(shape.of)}](${shape.lengthMax})`
    case 'map':
      return `{*:${nameOf(shape.of)}}`
    case 'object':
      return `{${Object.entries(shape.of)
        .map(([key, of]) => `${key}:${nameOf(of)}`)
        .join(',')}}`
  }
}
