/**
 * How a message becomes bytes: as CBOR, such that what arrives equals what was sent, or the sender gets an error.
 *
 * What travels: null, undefined, booleans, strings, numbers, BigInt, Date, Map, Set, Uint8Array and the other typed arrays,
 * ArrayBuffer, DataView, arrays, plain objects, and refs. A getter of a plain object is evaluated, once, and arrives as a
 * value. Refused, with the path to it: functions, symbols (as keys too), instances of other classes, cycles, holes in
 * arrays, properties that are not enumerable, properties that were added to arrays, Maps and the like, halves of surrogate
 * pairs, and what is nested more than 100 levels deep.
 *
 * What is not kept: which fields of a message were one and the same object, a null prototype, that something was frozen,
 * properties added to a typed array, what else is in the buffer of one, and that a Buffer was a Buffer: it arrives as a
 * Uint8Array.
 */
import { decode } from './decoder.js';
import { encode } from './encoder.js';
import { NotDecodable } from './errors.js';
import { withFirst, withoutFirst } from './pool.js';
import { Marker, type RefCodec } from './wire-format.js';

/** What the codec is called in the group's settings: members must agree on it. */
export const codecName = 'cbor-2';

/** For values without refs. */
export const noRefs: RefCodec = {
  isRef: () => false,
  pack: () => undefined,
  unpack: () => {
    throw new NotDecodable('a ref where none can be');
  },
};

/** Not an instance of a class of somebody's own. */
function isBytes(value: unknown): value is Uint8Array {
  if (!(value instanceof Uint8Array)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Uint8Array.prototype || prototype === Buffer.prototype;
}

/**
 * Encodes a value. The bytes are the caller's.
 *
 * Throws {@link NotEncodable} with the path to what cannot be sent.
 */
export function encodeValue(value: unknown, refs: RefCodec = noRefs): Uint8Array {
  return isBytes(value) ? withFirst(Marker.raw, value) : encode(value, refs);
}

/**
 * Decodes bytes that {@link encodeValue} made, or anybody else. Copies what it keeps.
 *
 * Throws {@link NotDecodable}.
 */
export function decodeValue(bytes: Uint8Array, refs: RefCodec = noRefs): unknown {
  return bytes[0] === Marker.raw ? withoutFirst(bytes) : decode(bytes, refs);
}
