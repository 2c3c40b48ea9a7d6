/**
 * What values look like as bytes: CBOR (RFC 8949), as cbor-x writes it, with a few tags and first bytes of our own.
 *
 * - Numbers: integers of up to 32 bits as such, everything else, -0 among it, as a double. 64-bit integers are BigInts,
 *   tags 2 and 3 are larger ones.
 * - Typed arrays: the tags of RFC 8746 around their bytes; a Uint8Array is the bytes alone.
 * - {@link Tag}: what CBOR has no exact form for.
 * - A first byte that no CBOR item starts with: {@link Marker}.
 */
import { endianness } from 'node:os';
import { NotDecodable } from './errors.js';

/** Tags of our own, in a range that is registered to nobody. */
export const Tag = {
  /** A Date: the milliseconds. */
  date: 40_100,
  /** A Map: keys and values by turns. */
  map: 40_102,
  /** A Set: its items. */
  set: 40_103,
  /** A ref, as {@link RefCodec} packed it. */
  ref: 40_104,
  /** An ArrayBuffer: its bytes. */
  buffer: 40_105,
  /** A DataView: its bytes. */
  dataView: 40_106,
  /** BigInts of more than 64 bits (RFC 8949, 3.4.3): the magnitude. */
  positiveBigInt: 2,
  negativeBigInt: 3,
} as const;

/** First bytes that CBOR reserves: what follows is not one plain item. */
export const Marker = {
  /** The bytes of a Uint8Array: the way of least work for whoever has bytes to send. */
  raw: 0x1c,
  /** The epoch of a table of structures, a number in it, and the values of an object with its keys. */
  record: 0x1d,
  /** The epoch of a table, and an item with records in it: tag {@link recordTag} plus a number, around a list of values. */
  records: 0x1e,
  /** A message among members, not for the user: see internal.ts. */
  internal: 0x1f,
} as const;

/** The first of cbor-x's tags for records. */
export const recordTag = 0xe000;

const bigEndian = endianness() === 'BE';

/** RFC 8746's tags of typed arrays, with this machine's order of bytes. */
export const arrayTags: readonly (readonly [TypedArrayConstructor, number])[] = (
  [
    [Uint8ClampedArray, 68],
    [Uint16Array, 69],
    [Uint32Array, 70],
    [BigUint64Array, 71],
    [Int8Array, 72],
    [Int16Array, 77],
    [Int32Array, 78],
    [BigInt64Array, 79],
    [Float32Array, 85],
    [Float64Array, 86],
  ] as const
).map(([constructor, tag]) => [constructor, bigEndian && constructor.BYTES_PER_ELEMENT > 1 ? tag - 4 : tag]);

type TypedArrayConstructor = { readonly prototype: ArrayBufferView; readonly BYTES_PER_ELEMENT: number };

/** Tags of either order of bytes. */
export const arrayTagsKnown: ReadonlySet<number> = new Set([
  65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 81, 82, 85, 86,
]);

/** No half of a surrogate pair is in it, which UTF-8 has no form for. ES2024, so not in the types yet. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** For values without refs. */
export const noRefs: RefCodec = {
  isRef: () => false,
  pack: () => undefined,
  unpack: () => {
    throw new NotDecodable('a ref where none can be');
  },
};

/** How refs travel: the codec knows that there are some, not what they are. */
export interface RefCodec {
  /** Whether this object is a ref. Asked for class instances only. */
  isRef(value: object): boolean;
  /** Why a ref cannot travel; undefined: it can. */
  refusal?(ref: object): string | undefined;
  /** What stands for a ref: plain data. */
  pack(ref: object): unknown;
  /** The ref that plain data from anywhere stands for. Throws {@link NotDecodable}. */
  unpack(packed: unknown): unknown;
}
