/**
 * Reads values from bytes, which may come from anybody, through cbor-x.
 *
 * Bytes are scanned before cbor-x sees them: one item, depth and number of items within their limits, no lengths beyond the
 * end, texts in UTF-8, and no tags or forms but those of {@link Tag}. So what a decoder allocates is bounded by a small multiple of the bytes.
 *
 * cbor-x keeps its extensions and limits per module, not per decoder: what a program registers for itself, for dates or for
 * a tag of ours, would change what its messages mean, at this node only. So an instance of the module of our own is loaded,
 * and that is also where our tags are registered, not in the program's. Its decoders read what the encoder wrote; nothing
 * decoded aliases the bytes it came from.
 */
import { isUtf8 } from 'node:buffer';
import { createRequire } from 'node:module';
import type * as Cbor from 'cbor-x';
import { depthMax, itemsMax } from '../lib/limits.js';
import { NotDecodable } from './errors.js';
import { Tag, arrayTagsKnown, recordTag, type RefCodec } from './wire-format.js';

const cbor = ownInstance();

/** Reads values that may have records in them. */
export interface Reader {
  /** Their keys, by number. May be added to. */
  readonly structures: string[][];
  readonly decoder: Cbor.Decoder;
}

/** A reader of records with these keys. After some records of a kind cbor-x has code for it. */
export function createReader(structures: string[][]): Reader {
  // only what is written as a record is one
  const options = { structures, useRecords: false, mapsAsObjects: true, copyBuffers: true };
  return { structures, decoder: new cbor.Decoder(options) };
}

const inline = createReader([]);

/** Loads cbor-x once more, beside the instance that the rest of the process has or will have. */
function ownInstance(): typeof Cbor {
  const require = createRequire(import.meta.url);
  const path = require.resolve('cbor-x');
  const others = require.cache[path];
  delete require.cache[path];
  try {
    return require('cbor-x') as typeof Cbor;
  } finally {
    if (others) require.cache[path] = others;
    else delete require.cache[path];
  }
}

let refs: RefCodec;

/** Where short values are read from: cbor-x makes a view of what it reads from, and keeps it for the next time. */
const scratch = new Uint8Array(4096);

/** Reads a value, from `bytes[from]` on; copies what it keeps. Throws {@link NotDecodable}. */
export function decode(bytes: Uint8Array, refCodec: RefCodec, reader: Reader = inline, from = 0): unknown {
  const length = bytes.length - from;
  if (length <= scratch.length) {
    scratch.set(from === 0 ? bytes : bytes.subarray(from));
    return read(scratch, length, refCodec, reader);
  }
  // of a Buffer cbor-x would make Buffers
  return read(new Uint8Array(bytes.buffer, bytes.byteOffset + from, length), length, refCodec, reader);
}

/** Reads an object of structure `id`, its values from `bytes[from]` on. Throws {@link NotDecodable}. */
export function decodeRecord(bytes: Uint8Array, refCodec: RefCodec, reader: Reader, from: number, id: number): unknown {
  const count = reader.structures[id]?.length;
  if (count === undefined) throw new NotDecodable(`unknown structure ${id}`);
  const tag = recordTag + id;
  const head = count < 24 ? [0xd9, tag >> 8, tag & 0xff, 0x80 | count] : [0xd9, tag >> 8, tag & 0xff, 0x98, count];
  const length = head.length + bytes.length - from;
  const whole = length <= scratch.length ? scratch : new Uint8Array(length);
  for (let i = 0; i < head.length; i++) whole[i] = head[i] as number;
  whole.set(bytes.subarray(from), head.length);
  return read(whole, length, refCodec, reader);
}

function read(bytes: Uint8Array, length: number, refCodec: RefCodec, reader: Reader): unknown {
  scan(bytes, length, reader.structures);
  const refsBefore = refs;
  refs = refCodec;
  try {
    // the end is declared by nobody
    const { decoder } = reader as { decoder: { decode(bytes: Uint8Array, end: number): unknown } };
    return decoder.decode(bytes, length);
  } catch (error) {
    throw error instanceof NotDecodable
      ? error
      : new NotDecodable(error instanceof Error ? error.message : String(error));
  } finally {
    refs = refsBefore;
  }
}

/** Has cbor-x make `make(content)` of what is tagged. */
function revive<T>(tag: number, fits: (content: unknown) => content is T, make: (content: T) => unknown): void {
  const decode = (content: unknown): unknown => {
    if (!fits(content)) throw new NotDecodable(`malformed tag ${tag}`);
    return make(content);
  };
  cbor.addExtension({ tag, decode } as unknown as Cbor.Extension<unknown, unknown>);
}

const isNumber = (content: unknown) => typeof content === 'number';
const isBytes = (content: unknown) => content instanceof Uint8Array;
const isAnything = (_content: unknown): _content is unknown => true;
const isList = (content: unknown): content is unknown[] => Array.isArray(content);
const isPairs = (content: unknown): content is unknown[] => isList(content) && content.length % 2 === 0;

revive(Tag.date, isNumber, (millis) => new Date(millis));
revive(Tag.set, isList, (list) => new Set(list));
revive(Tag.map, isPairs, (flat) => {
  const map = new Map<unknown, unknown>();
  for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
  return map;
});
revive(Tag.ref, isAnything, (packed) => refs.unpack(packed));
revive(Tag.buffer, isBytes, bufferOf);
revive(Tag.dataView, isBytes, (bytes) => new DataView(bufferOf(bytes)));
// cbor-x's own take a time that grows with the square of the length
revive(Tag.positiveBigInt, isBytes, magnitude);
revive(Tag.negativeBigInt, isBytes, (bytes) => -1n - magnitude(bytes));

/** The buffer of bytes that were copied out for this. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer;
}

function magnitude(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`);
}

/** What is left of the containers around an item, and whether they are maps, whose items are keys and values by turns. */
const pending = new Float64Array(2 * depthMax + 2);
const isMap = new Uint8Array(pending.length);
const ownTags: ReadonlySet<number> = new Set(Object.values(Tag));

/** Walks `length` bytes without building anything. Throws unless they are one value within the limits. */
function scan(bytes: Uint8Array, length: number, structures: readonly (readonly string[])[]): void {
  let at = 0;
  let depth = 0;
  let items = 0;
  pending[0] = 1;
  isMap[0] = 0;
  for (;;) {
    while (pending[depth] === 0) {
      if (depth-- > 0) continue;
      if (at !== length) throw new NotDecodable('bytes after the value');
      return;
    }
    const left = pending[depth] as number;
    pending[depth] = left - 1;
    if (at >= length) throw new NotDecodable('truncated');
    if (isMap[depth] === 1 && (left & 1) === 0) checkKey(bytes, at);
    if (++items > itemsMax) throw new NotDecodable('too many items');
    const first = bytes[at++] as number;
    const info = first & 31;
    const major = first >> 5;
    if (info === 27 && (major === 7 || major <= 1)) {
      at += 8;
    } else if (major === 7) {
      if (info < 20 || info > 23) throw new NotDecodable('unknown simple value');
    } else {
      let argument = info;
      if (info >= 24) {
        if (info > 26) throw new NotDecodable('64-bit or indefinite length');
        argument = 0;
        for (let width = 1 << (info - 24); width > 0; width--) argument = argument * 256 + (bytes[at++] ?? NaN);
      }
      if (major === 2) at += argument;
      else if (major === 3) {
        if (!(argument <= length - at)) throw new NotDecodable('truncated');
        if (!isText(bytes, at, at + argument)) throw new NotDecodable('a text that is not UTF-8');
        at += argument;
      } else if (major >= 4) {
        if (major === 6) {
          checkTag(argument, bytes, at, structures);
          argument = 1;
        } else if (major === 5) argument *= 2;
        if (argument > length - at) throw new NotDecodable('truncated');
        if (++depth >= pending.length) throw new NotDecodable('nested too deeply');
        pending[depth] = argument;
        isMap[depth] = major === 5 ? 1 : 0;
      }
    }
    // also catches NaN from a header that was cut off
    if (!(at <= length)) throw new NotDecodable('truncated');
  }
}

/** Up to here a look at each byte costs less than a native call. */
const shortText = 64;

/** What cbor-x makes of other bytes than UTF-8 depends on how it reads them, which is not the same at all nodes. */
function isText(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > shortText) return isUtf8(bytes.subarray(from, to));
  for (let i = from; i < to; i++) if ((bytes[i] as number) >= 0x80) return isUtf8(bytes.subarray(from, to));
  return true;
}

const proto = Buffer.from('__proto__', 'latin1');

/** Keys are texts. Of the one that cbor-x would give another name, without a word, there is none. */
function checkKey(bytes: Uint8Array, at: number): void {
  const first = bytes[at] as number;
  if (first >> 5 !== 3) throw new NotDecodable('a key that is no text');
  const head = first < 0x78 ? 1 : first === 0x78 ? 2 : first === 0x79 ? 3 : 5;
  if (bytes[at + head] !== 0x5f || bytes[at + head + 8] !== 0x5f) return;
  const isShort = head === 1 ? first === 0x60 + proto.length : bytes[at + head - 1] === proto.length;
  if (isShort && proto.compare(bytes, at + head, at + head + proto.length) === 0) {
    throw new NotDecodable('a key __proto__');
  }
}

/** Whether the tag is one of ours, and around what it has to be. Its content starts at `bytes[at]`. */
function checkTag(tag: number, bytes: Uint8Array, at: number, structures: readonly (readonly string[])[]): void {
  const first = bytes[at] ?? 0;
  if (tag >= recordTag) {
    const keys = structures[tag - recordTag];
    if (!keys) throw new NotDecodable(`unknown structure ${tag - recordTag}`);
    const count = first === 0x98 ? bytes[at + 1] : first >> 5 === 4 ? first & 31 : -1;
    if (count !== keys.length) throw new NotDecodable('a record without its values');
  } else if (arrayTagsKnown.has(tag)) {
    if (first >> 5 !== 2) throw new NotDecodable('a typed array without bytes');
  } else if (!ownTags.has(tag)) throw new NotDecodable(`unknown tag ${tag}`);
}
