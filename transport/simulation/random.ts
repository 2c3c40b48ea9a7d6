/**
 * Chance from a seed: the same seed gives the same draws on every machine, so that a failed run can be run again.
 *
 * The generator is sfc32 (small fast counter, 128 bits of state), from Chris Doty-Humphrey's PractRand; quality far beyond
 * what a simulation needs, and no 64-bit arithmetic.
 */

/** A generator's state. Draws change it. */
export interface Random {
  a: number;
  b: number;
  c: number;
  counter: number;
}

/** A generator of its own for each seed; the first draws are thrown away until the seed is well mixed in. */
export function createRandom(seed: number): Random {
  const random = { a: seed | 0, b: Math.floor(seed / 0x1_0000_0000) | 0, c: 0x9e3779b9 | 0, counter: 1 };
  for (let i = 0; i < 15; i += 1) draw(random);
  return random;
}

/** 32 bits, as an unsigned integer. */
export function draw(random: Random): number {
  const sum = (((random.a + random.b) | 0) + random.counter) | 0;
  random.counter = (random.counter + 1) | 0;
  random.a = random.b ^ (random.b >>> 9);
  random.b = (random.c + (random.c << 3)) | 0;
  random.c = (random.c << 21) | (random.c >>> 11);
  random.c = (random.c + sum) | 0;
  return sum >>> 0;
}

/** A generator that goes its own way from here: what one part of a run draws does not move what another part draws. */
export function fork(random: Random): Random {
  return createRandom(draw(random) * 0x10_0000 + (draw(random) & 0xfffff));
}

/** From `low` up to but without `high`. */
export function between(random: Random, low: number, high: number): number {
  return low + ((high - low) * draw(random)) / 0x1_0000_0000;
}

/** An integer from `low` to `high`, both included. */
export function integer(random: Random, low: number, high: number): number {
  return low + Math.floor(((high - low + 1) * draw(random)) / 0x1_0000_0000);
}

/** True so often. */
export function chance(random: Random, probability: number): boolean {
  return draw(random) < probability * 0x1_0000_0000;
}

/** One of them; the list must not be empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  if (list.length === 0) throw new Error('nothing to pick from');
  return list[integer(random, 0, list.length - 1)] as T;
}

/** A new list in another order (Fisher and Yates). */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = integer(random, 0, i);
    const swapped = result[i] as T;
    result[i] = result[j] as T;
    result[j] = swapped;
  }
  return result;
}

/** A subset, each with the same probability. */
export function some<T>(random: Random, list: readonly T[], probability: number): T[] {
  return list.filter(() => chance(random, probability));
}
