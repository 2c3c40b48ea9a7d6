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
import { decode, decodeRecord } from './decoder.js';
import { encode, encodeWith as encodeRecords } from './encoder.js';
import { NotDecodable } from './errors.js';
import { withFirst, withoutFirst } from './pool.js';
import type { StructureTable } from './structures.js';
import { Marker, noRefs, type RefCodec } from './wire-format.js';

/** What the codec is called in the group's settings: members must agree on it. */
export const codecName = 'cbor-2';

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

/**
 * As {@link encodeValue}, with the group's structures: what is read with {@link decodeWith} by members that were delivered
 * the same definitions.
 */
export function encodeWith(table: StructureTable, value: unknown, refs: RefCodec): Uint8Array {
  if (isBytes(value)) return withFirst(Marker.raw, value);
  return encodeRecords(value, refs, table.find, table.epoch);
}

/** As {@link decodeValue}, also for what {@link encodeWith} made. Throws {@link NotDecodable}. */
export function decodeWith(table: StructureTable, bytes: Uint8Array, refs: RefCodec): unknown {
  const [first] = bytes;
  if (first !== Marker.record && first !== Marker.records) return decodeValue(bytes, refs);
  const cursor = { bytes, at: 1 };
  const epoch = readVarint(cursor);
  if (epoch !== table.epoch) throw new NotDecodable(`structures of view ${epoch}, not of ${table.epoch}`);
  if (first === Marker.records) return decode(bytes, refs, table.reader, cursor.at);
  const id = readVarint(cursor);
  return decodeRecord(bytes, refs, table.reader, cursor.at, id);
}

function readVarint(cursor: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let scale = 1; scale < 2 ** 49; scale *= 0x80) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) break;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  throw new NotDecodable('malformed number');
}
