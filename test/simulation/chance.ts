// Chance that can be repeated: each thing of a run has a source of its own, named after it, so that leaving one thing out changes nothing of the others.
import { createRandom, type Random } from '../harness/generated/random.ts'

export function randomOf(seed: number, name: string): Random {
  // FNV-1a, and then once through the generator: neighbouring seeds begin alike otherwise.
  let hash = 2_166_136_261
  for (const letter of `${seed} ${name}`) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619)
  return createRandom(createRandom(hash).int(4_294_967_296))
}

export function bytesOf(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.int(256))
}

/** Mostly near the lower end, now and then far above it, as delays are. */
export function delayOf(random: Random, leastMs: number, mostMs: number): number {
  return leastMs + (mostMs - leastMs) * (random.int(1_000) / 1_000) ** 4
}
