/**
 * A generator that gives the same sequence wherever it is given the same text: xoshiro128** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2021), its state hashed from the text. Not for secrets.
 */

/** A generator of numbers in [0, 1), each a multiple of 2^-53. Texts that differ give unrelated sequences. */
export function createRandom(seed: string): () => number {
  let [a, b, c, d] = [hash(seed, 1), hash(seed, 2), hash(seed, 3), hash(seed, 4)];
  const next = (): number => {
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotated(d, 11);
    return result >>> 0;
  };
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** MurmurHash3's mixing (Appleby), one UTF-16 unit at a time. */
function hash(text: string, salt: number): number {
  let word = Math.imul(salt, 0x9e3779b9);
  for (let i = 0; i < text.length; i++) {
    word ^= Math.imul(rotated(Math.imul(text.charCodeAt(i), 0xcc9e2d51), 15), 0x1b873593);
    word = Math.imul(rotated(word, 13), 5) + 0xe6546b64;
  }
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
