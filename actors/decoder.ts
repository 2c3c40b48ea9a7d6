/**
 * Reads values from bytes, which may come from anybody, through cbor-x.
 *
 * Bytes are scanned before cbor-x sees them: one item, depth and number of items within their limits, no lengths beyond the
 * end, and no tags or forms but those of {@link Tag}. So what a decoder allocates is bounded by a small multiple of the bytes.
 *
 * cbor-x keeps its extensions and limits per module, not per decoder: what a program registers for itself, for dates or for
 * a tag of ours, would change what its messages mean, at this node only. So an instance of the module of our own is loaded,
 * and that is also where our tags are registered, not in the program's. Its decoders read what the encoder wrote; nothing
 * decoded aliases the bytes it came from.
 */
import { createRequire } from 'node:module';
import type * as Cbor from 'cbor-x';
import { NotDecodable } from './errors.js';
import { Tag, arrayTagsKnown, depthMax, itemsMax, type RefCodec } from './wire-format.js';

const cbor = ownInstance();
const decoder = new cbor.Decoder({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

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

/** Reads a value; copies what it keeps. Throws {@link NotDecodable}. */
export function decode(bytes: Uint8Array, refCodec: RefCodec): unknown {
  scan(bytes);
  const refsBefore = refs;
  refs = refCodec;
  try {
    return decoder.decode(plain(bytes));
  } catch (error) {
    throw error instanceof NotDecodable
      ? error
      : new NotDecodable(error instanceof Error ? error.message : String(error));
  } finally {
    refs = refsBefore;
  }
}

/** A Buffer makes cbor-x hand out Buffers; a view of the same bytes does not. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
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

const pending = new Float64Array(2 * depthMax + 2);
const ownTags: ReadonlySet<number> = new Set(Object.values(Tag));

/** Walks the bytes without building anything. Throws unless they are one value within the limits. */
function scan(bytes: Uint8Array): void {
  let at = 0;
  let depth = 0;
  let items = 0;
  pending[0] = 1;
  for (;;) {
    while (pending[depth] === 0) {
      if (depth-- > 0) continue;
      if (at !== bytes.length) throw new NotDecodable('bytes after the value');
      return;
    }
    pending[depth] = (pending[depth] as number) - 1;
    if (at >= bytes.length) throw new NotDecodable('truncated');
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
      if (major === 2 || major === 3) at += argument;
      else if (major >= 4) {
        if (major === 6) {
          checkTag(argument, (bytes[at] ?? 0) >> 5);
          argument = 1;
        } else if (major === 5) argument *= 2;
        if (argument > bytes.length - at) throw new NotDecodable('truncated');
        if (++depth >= pending.length) throw new NotDecodable('nested too deeply');
        pending[depth] = argument;
      }
    }
    // also catches NaN from a header that was cut off
    if (!(at <= bytes.length)) throw new NotDecodable('truncated');
  }
}

function checkTag(tag: number, contentMajor: number): void {
  if (arrayTagsKnown.has(tag)) {
    if (contentMajor !== 2) throw new NotDecodable('a typed array without bytes');
  } else if (!ownTags.has(tag)) throw new NotDecodable(`unknown tag ${tag}`);
}
