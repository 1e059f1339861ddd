import { describe, expect, test } from 'vitest'
import { blocksOf, inlinesOf } from '../src/web/project/chat/parts.ts'

describe('the markup of messages', () => {
  test('fenced code is taken as it stands', () => {
    expect(blocksOf('Look:\n\n```ts\nconst a = `x`\n\n- no list\n```\nDone.')).toEqual([
      { type: 'paragraph', inlines: [{ type: 'text', text: 'Look:' }] },
      { type: 'code', language: 'ts', text: 'const a = `x`\n\n- no list' },
      { type: 'paragraph', inlines: [{ type: 'text', text: 'Done.' }] },
    ])
  })

  test('a fence that is not closed yet runs to the end', () => {
    expect(blocksOf('```ts\nconst a')).toEqual([{ type: 'code', language: 'ts', text: 'const a' }])
    expect(blocksOf('```t')).toEqual([{ type: 'code', language: 't', text: '' }])
  })

  test('a list may follow its paragraph without an empty line', () => {
    expect(blocksOf('Plan:\n1. first\n2. `second`').map((block) => block.type)).toEqual(['paragraph', 'list'])
    expect(blocksOf('- a\n- b')).toMatchObject([{ isOrdered: false, items: [[{ text: 'a' }], [{ text: 'b' }]] }])
  })

  test('marks without a partner are text', () => {
    expect(inlinesOf('a ** b ` c')).toEqual([{ type: 'text', text: 'a ** b ` c' }])
    expect(inlinesOf('`a` and **b**')).toEqual([
      { type: 'code', text: 'a' },
      { type: 'text', text: ' and ' },
      { type: 'strong', text: 'b' },
    ])
  })

  test('nothing gives nothing', () => expect(blocksOf('  \n\n ')).toEqual([]))
})
