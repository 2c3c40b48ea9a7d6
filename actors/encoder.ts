/**
 * Writes values as bytes, and looks at each while it does: what would not arrive as it was is refused.
 *
 * One pass of our own instead of cbor-x's encoder, which drops what it does not know (symbols, holes, classes) without a
 * word, so that every value would have to be walked before; and a property that is read twice, such as a getter, need not
 * be the same the second time. What it writes for what both know is what cbor-x writes.
 *
 * Bytes are written into a scratch buffer and copied out. A getter may send a message itself: the inner value is written
 * behind what there is of the outer one.
 */
import { depthMax, itemsMax } from '../lib/limits.js';
import { copyOf } from './pool.js';
import { unsendable } from './unsendable.js';
import { Marker, Tag, arrayTags, isWellFormed, recordTag, type RefCodec } from './wire-format.js';

const scratchBytes = 64 * 1024;
/** A scratch buffer that has grown above this is given back. */
const scratchBytesMax = 1024 * 1024;
/** Strings below this are written by hand: the call of a native function costs more. */
const shortString = 64;
/** Strings above this are measured first. */
const longString = 16 * 1024;
/** A head, or a number, or a short string with its head. */
const roomBytes = 16 + 3 * shortString;

let scratch = Buffer.allocUnsafeSlow(scratchBytes);
let view = new DataView(scratch.buffer);
let limit = scratch.length - roomBytes;
let at = 0;
let items = 0;
let refs: RefCodec;

/** Thrown while writing; replaced by an error with a path. */
const refused = new Error('refused');

/** The number of the structure with these keys, -1 if there is none. */
export type FindStructure = (keys: readonly string[]) => number;

/** Undefined: every object carries its keys. */
let find: FindStructure | undefined;
let hasRecords = false;
/** The structure of the whole value, and where its values start; -1: it is no record. */
let whole = -1;
let wholeAt = 0;

/** Encodes a value. The bytes are the caller's. Throws {@link NotEncodable} with the path to what cannot be sent. */
export function encode(value: unknown, refCodec: RefCodec): Uint8Array {
  return at > 0 ? encodeInside(value, refCodec, undefined, 0) : encodeAlone(value, refCodec, undefined, 0);
}

/** As {@link encode}; objects of known structures without their keys. `epoch` names the table. */
export function encodeWith(value: unknown, refCodec: RefCodec, structures: FindStructure, epoch: number): Uint8Array {
  return at > 0 ? encodeInside(value, refCodec, structures, epoch) : encodeAlone(value, refCodec, structures, epoch);
}

/** While another value is written: a getter of it has a message of its own to send. */
function encodeInside(
  value: unknown,
  refCodec: RefCodec,
  structures: FindStructure | undefined,
  epoch: number,
): Uint8Array {
  const outer = { items, refs, find, hasRecords, whole, wholeAt };
  try {
    return encodeAlone(value, refCodec, structures, epoch);
  } finally {
    ({ items, refs, find, hasRecords, whole, wholeAt } = outer);
  }
}

function encodeAlone(
  value: unknown,
  refCodec: RefCodec,
  structures: FindStructure | undefined,
  epoch: number,
): Uint8Array {
  const start = at;
  items = 0;
  refs = refCodec;
  find = structures;
  hasRecords = false;
  whole = -1;
  try {
    if (structures) writeStart(Marker.records, epoch);
    const inline = at;
    write(value, 0);
    const end = at;
    let from = start;
    if (whole >= 0) from = shortened(epoch);
    else if (!hasRecords) from = inline;
    return copyOf(scratch, from, end);
  } catch (error) {
    throw error === refused ? unsendable(value, 'message', refCodec) : error;
  } finally {
    at = start;
    if (start === 0 && scratch.length > scratchBytesMax) grow(scratchBytes);
  }
}

function writeStart(marker: number, epoch: number): void {
  if (at > limit) reserve(0);
  scratch[at++] = marker;
  writeVarint(epoch);
}

/** A whole value that is a record has a shorter start, which is written right before its values. Returns where. */
function shortened(epoch: number): number {
  const from = wholeAt - 1 - varintBytes(epoch) - varintBytes(whole);
  at = from;
  writeStart(Marker.record, epoch);
  writeVarint(whole);
  return from;
}

/** Seven bits a byte, the lowest first; all but the last have the eighth. */
function writeVarint(value: number): void {
  for (; value >= 0x80; value = Math.floor(value / 0x80)) scratch[at++] = (value % 0x80) | 0x80;
  scratch[at++] = value;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes++;
  return bytes;
}

function grow(bytes: number): void {
  const old = scratch;
  scratch = Buffer.allocUnsafeSlow(bytes);
  old.copy(scratch, 0, 0, at);
  view = new DataView(scratch.buffer);
  limit = scratch.length - roomBytes;
}

/** Makes room for so many bytes and a head. */
function reserve(bytes: number): void {
  if (at + bytes > limit) grow(Math.max(2 * scratch.length, at + bytes + 2 * roomBytes));
}

function write(value: unknown, depth: number): void {
  if (++items > itemsMax) throw refused;
  if (at > limit) reserve(0);
  switch (typeof value) {
    case 'string':
      writeString(value);
      return;
    case 'number':
      writeNumber(value);
      return;
    case 'boolean':
      scratch[at++] = value ? 0xf5 : 0xf4;
      return;
    case 'undefined':
      scratch[at++] = 0xf7;
      return;
    case 'bigint':
      writeBigInt(value);
      return;
    case 'object':
      if (value === null) scratch[at++] = 0xf6;
      else writeObject(value, depth + 1);
      return;
    case 'function':
    case 'symbol':
      throw refused;
  }
}

/** An item's first byte and its argument, in the shortest form. */
function writeHead(major: number, argument: number): void {
  if (argument < 24) scratch[at++] = major | argument;
  else if (argument < 0x100) {
    scratch[at++] = major | 24;
    scratch[at++] = argument;
  } else if (argument < 0x1_0000) {
    scratch[at++] = major | 25;
    scratch[at++] = argument >> 8;
    scratch[at++] = argument & 0xff;
  } else {
    // what is larger still does not fit into a message
    if (argument > 0xffff_ffff) throw refused;
    scratch[at++] = major | 26;
    view.setUint32(at, argument);
    at += 4;
  }
}

function writeNumber(value: number): void {
  if (value >>> 0 === value && !Object.is(value, -0)) writeHead(0x00, value);
  else if (value < 0 && value >= -0x1_0000_0000 && Math.floor(value) === value) writeHead(0x20, -1 - value);
  else {
    scratch[at++] = 0xfb;
    view.setFloat64(at, value);
    at += 8;
  }
}

function writeBigInt(value: bigint): void {
  const magnitude = value < 0n ? -1n - value : value;
  if (magnitude <= 0xffff_ffff_ffff_ffffn) {
    scratch[at++] = value < 0n ? 0x3b : 0x1b;
    view.setBigUint64(at, magnitude);
    at += 8;
    return;
  }
  const hex = magnitude.toString(16);
  writeHead(0xc0, value < 0n ? Tag.negativeBigInt : Tag.positiveBigInt);
  writeBytes(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

function writeBytes(bytes: Uint8Array): void {
  reserve(bytes.length);
  writeHead(0x40, bytes.length);
  scratch.set(bytes, at);
  at += bytes.length;
}

function writeString(value: string): void {
  const { length } = value;
  if (length >= shortString) {
    writeLongString(value);
    return;
  }
  // room for the head is left as for ASCII
  const start = at + (length < 24 ? 1 : 2);
  let to = start;
  for (let i = 0; i < length; i++) {
    let code = value.charCodeAt(i);
    if (code < 0x80) {
      scratch[to++] = code;
      continue;
    }
    if (code < 0x800) scratch[to++] = 0xc0 | (code >> 6);
    else {
      if ((code & 0xf800) === 0xd800) {
        const low = value.charCodeAt(++i);
        if (code >= 0xdc00 || (low & 0xfc00) !== 0xdc00) throw refused;
        code = 0x1_0000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        scratch[to++] = 0xf0 | (code >> 18);
        scratch[to++] = 0x80 | ((code >> 12) & 0x3f);
      } else scratch[to++] = 0xe0 | (code >> 12);
      scratch[to++] = 0x80 | ((code >> 6) & 0x3f);
    }
    scratch[to++] = 0x80 | (code & 0x3f);
  }
  const bytes = to - start;
  if (bytes < 24) scratch[at] = 0x60 | bytes;
  else {
    if (length < 24) scratch.copyWithin(start + 1, start, to);
    scratch[at] = 0x78;
    scratch[at + 1] = bytes;
    at++;
  }
  at += 1 + bytes;
}

function writeLongString(value: string): void {
  const { length } = value;
  // exactly, where three bytes for each unit would be too many to set aside
  const most = length < longString ? 3 * length : Buffer.byteLength(value);
  reserve(most);
  // the head of most strings, which are ASCII
  const start = at + headBytes(length);
  const bytes = scratch.write(value, start);
  if (bytes !== length && !isWellFormed(value)) throw refused;
  const head = headBytes(bytes);
  if (at + head !== start) scratch.copyWithin(at + head, start, start + bytes);
  writeHead(0x60, bytes);
  at += bytes;
}

function headBytes(argument: number): number {
  return argument < 0x100 ? 2 : argument < 0x1_0000 ? 3 : 5;
}

function writeObject(value: object, depth: number): void {
  if (depth > depthMax) throw refused;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) writePlain(value as Record<string, unknown>, depth);
  else if (prototype === Array.prototype && Array.isArray(value)) writeArray(value, depth);
  else {
    const writer = writers.get(prototype);
    if (writer) writer(value as never, depth);
    else if (refs.isRef(value) && refs.refusal?.(value) === undefined) {
      writeHead(0xc0, Tag.ref);
      write(refs.pack(value), depth);
    } else throw refused;
  }
}

function writePlain(value: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(value);
  if (Object.getOwnPropertyNames(value).length !== keys.length || hasSymbols(value)) throw refused;
  const id = find ? find(keys) : -1;
  if (id >= 0) {
    writeRecord(value, keys, id, depth);
    return;
  }
  writeHead(0xa0, keys.length);
  for (const key of keys) {
    if (key === '__proto__') throw refused;
    if (at > limit) reserve(0);
    writeString(key);
    write(value[key], depth);
  }
}

function writeRecord(value: Record<string, unknown>, keys: readonly string[], id: number, depth: number): void {
  scratch[at++] = 0xd9;
  scratch[at++] = (recordTag + id) >> 8;
  scratch[at++] = id & 0xff;
  writeHead(0x80, keys.length);
  if (depth === 1) {
    whole = id;
    wholeAt = at;
  }
  hasRecords = true;
  for (let i = 0; i < keys.length; i++) write(value[keys[i] as string], depth);
}

function writeArray(value: readonly unknown[], depth: number): void {
  const { length } = value;
  // of all ways to count the properties the quickest
  if (Object.values(value).length !== length || hasSymbols(value)) throw refused;
  writeHead(0x80, length);
  for (let i = 0; i < length; i++) {
    const item = value[i];
    if (item === undefined && !(i in value)) throw refused;
    write(item, depth);
  }
}

function hasSymbols(value: object): boolean {
  return Object.getOwnPropertySymbols(value).length > 0;
}

/** Writers of class instances, by prototype. */
const writers = new Map<unknown, (value: never, depth: number) => void>([
  [Uint8Array.prototype, writeBytes],
  [Buffer.prototype, writeBytes],
  ...arrayTags.map(([{ prototype }, tag]) => [prototype, (value: ArrayBufferView) => writeView(value, tag)] as const),
  [DataView.prototype, bare((value: DataView) => writeView(value, Tag.dataView))],
  [
    ArrayBuffer.prototype,
    bare((value: ArrayBuffer) => {
      writeHead(0xc0, Tag.buffer);
      writeBytes(new Uint8Array(value));
    }),
  ],
  [
    Date.prototype,
    bare((value: Date) => {
      writeHead(0xc0, Tag.date);
      writeNumber(value.getTime());
    }),
  ],
  [
    Map.prototype,
    bare((value: ReadonlyMap<unknown, unknown>, depth) => {
      writeHead(0xc0, Tag.map);
      writeHead(0x80, 2 * value.size);
      const { size } = value;
      let written = 0;
      for (const [key, item] of value) {
        write(key, depth);
        write(item, depth);
        written++;
      }
      if (written !== size) throw refused;
    }),
  ],
  [
    Set.prototype,
    bare((value: ReadonlySet<unknown>, depth) => {
      writeHead(0xc0, Tag.set);
      writeHead(0x80, value.size);
      const { size } = value;
      let written = 0;
      for (const item of value) {
        write(item, depth);
        written++;
      }
      if (written !== size) throw refused;
    }),
  ],
]);

/** Refuses instances that somebody gave properties: these would be lost. */
function bare<T extends object>(writer: (value: T, depth: number) => void): (value: T, depth: number) => void {
  return (value, depth) => {
    if (Reflect.ownKeys(value).length > 0) throw refused;
    writer(value, depth);
  };
}

function writeView(value: ArrayBufferView, tag: number): void {
  writeHead(0xc0, tag);
  writeBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}
