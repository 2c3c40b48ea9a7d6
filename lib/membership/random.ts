/**
 * A seeded generator (xorshift32), for what must differ between nodes and nothing else: who retries first.
 */

/** The generator's state. */
export interface Random {
  word: number;
}

/** A generator. Different seeds, even neighbours, give unrelated sequences. */
export function createRandom(seed: number): Random {
  const mixed = Math.imul((seed % 0x7fffffff) ^ 0x9e3779b9, 0x85ebca6b);
  return { word: (mixed ^ (mixed >>> 15)) | 1 };
}

/** The next number, in [0, 1). */
export function draw(random: Random): number {
  let word = random.word;
  word ^= word << 13;
  word ^= word >>> 17;
  word ^= word << 5;
  random.word = word;
  return (word >>> 0) / 0x1_0000_0000;
}
