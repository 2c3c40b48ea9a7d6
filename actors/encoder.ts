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
import { copyOf } from './pool.js';
import { unsendable } from './unsendable.js';
import { Tag, arrayTags, depthMax, itemsMax, type RefCodec } from './wire-format.js';

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

/** Encodes a value. The bytes are the caller's. Throws {@link NotEncodable} with the path to what cannot be sent. */
export function encode(value: unknown, refCodec: RefCodec): Uint8Array {
  const start = at;
  const itemsBefore = items;
  const refsBefore = refs;
  items = 0;
  refs = refCodec;
  try {
    write(value, 0);
    return copyOf(scratch, start, at);
  } catch (error) {
    throw error === refused ? unsendable(value, 'message', refCodec) : error;
  } finally {
    at = start;
    items = itemsBefore;
    refs = refsBefore;
    if (start === 0 && scratch.length > scratchBytesMax) grow(scratchBytes);
  }
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

/** No half of a surrogate pair is in it, which UTF-8 has no form for. ES2024, so not in the types yet. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
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
  writeHead(0xa0, keys.length);
  for (const key of keys) {
    if (key === '__proto__') throw refused;
    if (at > limit) reserve(0);
    writeString(key);
    write(value[key], depth);
  }
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
