/** Bytes made of other bytes, by chance: the small changes that parsers trip over. */
import { type Random, chance, draw, integer, pick } from '../../transport/simulation/random.js';

/** Values at which something ends: of a byte, a short or long varint, an item of CBOR. */
const telling: readonly (readonly number[])[] = [
  [0],
  [1],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0x7f],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0, 0, 0, 0, 0, 0, 0, 0],
];

/** What may be put into an input besides. */
export type Words = readonly (readonly number[])[];

function splice(bytes: Uint8Array, at: number, gone: number, put: ArrayLike<number>): Uint8Array {
  const made = new Uint8Array(bytes.length - gone + put.length);
  made.set(bytes.subarray(0, at));
  made.set(put, at);
  made.set(bytes.subarray(at + gone), at + put.length);
  return made;
}

function once(random: Random, bytes: Uint8Array, other: Uint8Array, words: Words): Uint8Array {
  const { length } = bytes;
  const at = integer(random, 0, length);
  const some = Math.min(length - at, integer(random, 1, chance(random, 0.8) ? 4 : Math.max(1, length)));
  switch (integer(random, 0, 8)) {
    case 0:
      return length === 0 ? bytes : splice(bytes, Math.min(at, length - 1), 1, [draw(random) & 0xff]);
    case 1: {
      if (at >= length) return bytes;
      return splice(bytes, at, 1, [(bytes[at] as number) ^ (1 << integer(random, 0, 7))]);
    }
    case 2: {
      if (at >= length) return bytes;
      return splice(bytes, at, 1, [(bytes[at] as number) + integer(random, -8, 8)]);
    }
    case 3:
      return splice(bytes, at, some, []);
    case 4:
      return splice(bytes, at, 0, bytes.slice(at, at + some));
    case 5:
      return splice(bytes, at, chance(random, 0.5) ? some : 0, pick(random, telling));
    case 6: {
      const from = integer(random, 0, other.length);
      const piece = other.subarray(from, from + integer(random, 1, 64));
      return splice(bytes, at, chance(random, 0.5) ? Math.min(piece.length, length - at) : 0, piece);
    }
    case 7:
      return splice(bytes, at, 0, words.length === 0 ? [draw(random) & 0xff] : pick(random, words));
    default:
      return bytes.slice(0, at);
  }
}

/** One input made of another, with pieces of a third, not longer than that many bytes. */
export function mutate(
  random: Random,
  bytes: Uint8Array,
  other: Uint8Array,
  words: Words,
  bytesMax: number,
): Uint8Array {
  let made = bytes;
  for (let i = 1 << integer(random, 0, 4); i > 0; i--) made = once(random, made, other, words);
  return made.length > bytesMax ? made.slice(0, bytesMax) : made;
}
