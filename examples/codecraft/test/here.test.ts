import { expect, test } from 'vitest'
import { othersOf, peopleOf, typingText } from '../src/web/project/here/here.ts'

const other = (id: string, user: string, value: Parameters<typeof othersOf>[0]['others'][number]['value']) => ({ id, user, value })

test('what others say is looked at before it is used: who says something else is here, and no more', () => {
  const mine = { isTyping: true, file: 'f', anchor: 3, head: 5 }
  const hostile = [null, 'x', { ...mine, head: -1 }, { ...mine, anchor: 0.5 }, { ...mine, file: 'f'.repeat(101) }, { isTyping: 'yes' }]
  expect(othersOf({ others: [other('1', 'ada', mine), ...hostile.map((value, i) => other(`${i + 2}`, 'grace', value))] })).toEqual([
    { id: '1', user: 'ada', ...mine },
    ...hostile.map((_, i) => ({ id: `${i + 2}`, user: 'grace', isTyping: false, file: null, anchor: 0, head: 0 })),
  ])
})

test('a person with two devices is one person', () => expect(peopleOf([{ user: 'ada' }, { user: 'grace' }, { user: 'ada' }])).toEqual(['ada', 'grace']))

test.each([
  [[], null],
  [['Ada'], 'Ada is typing'],
  [['Ada', 'Grace'], 'Ada and Grace are typing'],
  [['Ada', 'Grace', 'Linus', 'Joan'], 'Ada and 3 others are typing'],
])('%j: %s', (names, text) => expect(typingText(names)).toBe(text))
