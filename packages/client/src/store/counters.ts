/** Rows looked at, for the tests that hold the engine to its promises about cost. A production build does not count. */
export const counters = {
  /** By live queries, to follow changes. */
  visited: 0,
  /** To answer a query from nothing. */
  setUp: 0,
}
