// The comparisons, as an app writes them: with one operand as the test of a `where`, with two in an access rule.
import { comparison, type Expression, type Operand, type Person } from './access/expression.ts'
import { type Operator, type Test, test } from './predicate.ts'

export interface Compare {
  /** In a `where`: `{ sequence: gt(5) }`. */
  <T>(operand: T): Test<T>
  /** In an access rule: `eq(row.ownerId, person)`. */
  <T>(left: Operand<T>, right: Operand<NoInfer<T>> | NoInfer<T> | Person): Expression<never>
  (left: Person, right: Operand): Expression<never>
}

// Which of the forms is meant is told by the number of operands.
const comparing = (operator: Operator) =>
  ((...operands: readonly unknown[]) => (operands.length > 1 ? comparison(operator, operands[0], operands[1]) : test(operator, operands[0]))) as Compare

export const eq = comparing('eq')
/** Not equal; as in SQL, a null is neither equal nor unequal. In a `where`, `ne(null)` means `is not null`. */
export const ne = comparing('ne')
export const lt = comparing('lt')
export const lte = comparing('lte')
export const gt = comparing('gt')
export const gte = comparing('gte')
