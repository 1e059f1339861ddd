// Sums that do not depend on the order of what is summed.

/** The float that is nearest to the exact sum (J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic, 1997). */
export function sumFloats(values: readonly number[]): number {
  let plain = 0
  // Their exact sum is that of all values so far, and none overlaps another.
  const parts: number[] = []
  for (const value of values) {
    plain += value
    let x = value
    let count = 0
    for (const part of parts) {
      const [large, small] = Math.abs(x) < Math.abs(part) ? [part, x] : [x, part]
      const sum = large + small
      const rest = small - (sum - large)
      if (rest !== 0) parts[count++] = rest
      x = sum
    }
    parts.length = count
    parts.push(x)
  }
  // Beyond what floats hold there are no parts.
  return Number.isFinite(plain) ? rounded(parts) : plain
}

/** The sum of parts that do not overlap, the smallest first, rounded once. */
function rounded(parts: readonly number[]): number {
  let at = parts.length - 1
  let high = parts[at] ?? 0
  let low = 0
  while (at > 0 && low === 0) {
    const part = parts[--at] ?? 0
    const sum = high + part
    low = part - (sum - high)
    high = sum
  }
  // Half way between two floats, what follows decides.
  const next = parts[at - 1] ?? 0
  if (low !== 0 && next !== 0 && low < 0 === next < 0) {
    const twice = low * 2
    const sum = high + twice
    if (twice === sum - high) return sum
  }
  return high
}

/** As PostgreSQL sums numerics: exact, with as many decimals as the value that has the most. */
export function sumNumerics(values: readonly string[]): string {
  const words = values.filter((value) => !/\d/.test(value))
  // NaN, or infinities.
  if (words.length > 0) return String(words.reduce((sum, word) => sum + Number(word), 0))
  const decimals = (value: string) => (value.split('.')[1] ?? '').length
  const scale = values.reduce((most, value) => Math.max(most, decimals(value)), 0)
  const total = values.reduce((sum, value) => sum + BigInt(value.replace('.', '') + '0'.repeat(scale - decimals(value))), 0n)
  const digits = String(total < 0n ? -total : total).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return total < 0n ? `-${text}` : text
}
