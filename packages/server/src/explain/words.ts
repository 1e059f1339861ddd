// Rules as an app would write them.
import type { ExpressionData } from '@headwater/schema'

export function ruleText(expression: ExpressionData): string {
  switch (expression.type) {
    case 'constant':
      return expression.value ? 'allow' : 'deny'
    case 'held':
      return expression.roles === null ? `holds(${quotedText(expression.kind)})` : `role(${[expression.kind, ...expression.roles].map(quotedText).join(', ')})`
    case 'compare': {
      const { operator, left, right } = expression
      const name = operator === 'in' ? 'isIn' : operator
      return `${name}(${left.of}.${left.column}, ${right.type === 'column' ? `${right.of}.${right.column}` : right.type === 'person' ? 'person' : valueText(right.value)})`
    }
    case 'isNull':
      return `isNull(${expression.operand.of}.${expression.operand.column})`
    case 'and':
    case 'or':
      return `${expression.type}(${expression.parts.map(ruleText).join(', ')})`
    case 'not':
      return `not(${ruleText(expression.part)})`
    case 'exists':
      return `exists(${quotedText(expression.table)}, (${expression.as}) => ${ruleText(expression.where)})`
  }
}

/** As JavaScript would write it, near enough. */
const valueText = (value: unknown) => JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one))
const quotedText = (text: string) => `'${text}'`
