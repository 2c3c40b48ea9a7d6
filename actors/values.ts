/**
 * How a message becomes bytes: through cbor-x, such that what arrives equals what was sent, or the sender gets an error.
 *
 * cbor-x alone turns a small BigInt into a number, rounds a Date, loses -0 and writes class instances as plain objects.
 * So the sender looks at the value first. What cbor-x carries exactly goes through as it is; Date, BigInt, Map, Set, -0
 * and refs are put into tags of ours; everything else is refused with the path to it. A Uint8Array alone takes no detour:
 * a marker byte that no CBOR item starts with, and its bytes.
 *
 * Bytes from the network are scanned before cbor-x sees them: depth, number of items, and no tags or forms but ours.
 * Nothing decoded aliases the bytes it came from. What is not kept: which fields of a message were one and the same
 * object, extra properties of arrays, a null prototype, and that a Buffer was a Buffer: it arrives as a Uint8Array.
 */
import { Decoder, Encoder, Tag } from 'cbor-x';
import { NotDecodable, NotEncodable } from './errors.js';
import { withFirst, withoutFirst } from './pool.js';

/** What the codec is called in the group's settings: members must agree on it. */
export const codecName = 'cbor-1';

/** Nesting above this is refused on both sides: deeper is a mistake, or made to overflow a stack. */
const depthMax = 100;
/** Items in one value above this are refused on both sides: bounds what a decoder allocates. */
const itemsMax = 4_000_000;

/** Initial byte 0x1c is reserved in CBOR: after it come the bytes of a Uint8Array. */
const rawMarker = 0x1c;

const tagDate = 40_100;
const tagBigInt = 40_101;
const tagMap = 40_102;
const tagSet = 40_103;
const tagRef = 40_104;
const tagMinusZero = 40_105;

/** How refs travel: the codec knows that there are some, not what they are. */
export interface RefCodec {
  /** Whether this object is a ref. Asked for class instances only. */
  isRef(value: object): boolean;
  /** What stands for a ref: plain data. */
  pack(ref: object): unknown;
  /** The ref that plain data from anywhere stands for. Throws {@link NotDecodable}. */
  unpack(packed: unknown): unknown;
}

/** For values without refs. */
export const noRefs: RefCodec = {
  isRef: () => false,
  pack: () => undefined,
  unpack: () => {
    throw new NotDecodable('a ref where none can be');
  },
};

const options = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
  copyBuffers: true,
} as const;
const encoder = new Encoder(options);
const decoder = new Decoder(options);

/** Thrown while surveying; replaced by an error with a path. */
const refused = new Error('refused');

const asIs = 0;
const convert = 1;

let surveyed = 0;

/**
 * Encodes a value. The bytes are the caller's.
 *
 * Throws {@link NotEncodable} with the path to what cannot be sent.
 */
export function encodeValue(value: unknown, refs: RefCodec = noRefs): Uint8Array {
  if (value instanceof Uint8Array) return withFirst(rawMarker, value);
  surveyed = 0;
  let found;
  try {
    found = survey(value, 0, refs);
  } catch (error) {
    if (error !== refused) throw error;
    throw locate(value, 'message', refs);
  }
  return encoder.encode(found === asIs ? value : converted(value, refs));
}

/**
 * Decodes bytes that {@link encodeValue} made, or anybody else. Copies what it keeps.
 *
 * Throws {@link NotDecodable}.
 */
export function decodeValue(bytes: Uint8Array, refs: RefCodec = noRefs): unknown {
  if (bytes[0] === rawMarker) return withoutFirst(bytes);
  const tagged = scan(bytes);
  let value: unknown;
  try {
    value = decoder.decode(plain(bytes));
  } catch (error) {
    throw new NotDecodable(error instanceof Error ? error.message : String(error));
  }
  return tagged ? revived(value, refs) : value;
}

/** A Buffer makes cbor-x hand out Buffers; a view of the same bytes does not. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function wellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** Whether the value goes through cbor-x as it is; throws `refused` if it cannot go at all. */
function survey(value: unknown, depth: number, refs: RefCodec): number {
  if (++surveyed > itemsMax) throw refused;
  switch (typeof value) {
    case 'string':
      if (!wellFormed(value)) throw refused;
      return asIs;
    case 'number':
      return value === 0 && Object.is(value, -0) ? convert : asIs;
    case 'boolean':
    case 'undefined':
      return asIs;
    case 'bigint':
      return convert;
    case 'object':
      return value === null ? asIs : surveyObject(value, depth + 1, refs);
    case 'function':
    case 'symbol':
      throw refused;
  }
}

function surveyObject(value: object, depth: number, refs: RefCodec): number {
  if (depth > depthMax) throw refused;
  let found = asIs;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (item === undefined && !(i in value)) throw refused;
      found |= survey(item, depth, refs);
    }
    return found;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    if (Object.getOwnPropertySymbols(value).length > 0) throw refused;
    for (const key of Object.keys(value)) {
      if (key === '__proto__' || !wellFormed(key)) throw refused;
      found |= survey((value as Record<string, unknown>)[key], depth, refs);
    }
    return found;
  }
  if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) return asIs;
  if (prototype === Date.prototype) return convert;
  if (prototype === Map.prototype) {
    for (const [key, item] of value as Map<unknown, unknown>) {
      survey(key, depth + 1, refs);
      survey(item, depth + 1, refs);
    }
    return convert;
  }
  if (prototype === Set.prototype) {
    for (const item of value as Set<unknown>) survey(item, depth + 1, refs);
    return convert;
  }
  if (refs.isRef(value)) return convert;
  throw refused;
}

/** The value with tags in place of what cbor-x would not carry exactly. */
function converted(value: unknown, refs: RefCodec): unknown {
  if (typeof value === 'bigint') return new Tag(value.toString(), tagBigInt);
  if (typeof value === 'number') return Object.is(value, -0) ? new Tag(0, tagMinusZero) : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => converted(item, refs));
  if (value instanceof Date) return new Tag(value.getTime(), tagDate);
  if (value instanceof Map) {
    const flat: unknown[] = [];
    for (const [key, item] of value) flat.push(converted(key, refs), converted(item, refs));
    return new Tag(flat, tagMap);
  }
  if (value instanceof Set)
    return new Tag(
      Array.from(value, (item) => converted(item, refs)),
      tagSet,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return new Tag(refs.pack(value), tagRef);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = converted((value as Record<string, unknown>)[key], refs);
  return copy;
}

/** Puts back what {@link converted} replaced, in place. */
function revived(value: unknown, refs: RefCodec): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = revived(value[i], refs);
    return value;
  }
  if (value instanceof Tag) return untagged(value, refs);
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) object[key] = revived(object[key], refs);
  return object;
}

function untagged(found: Tag, refs: RefCodec): unknown {
  const tag = found.tag;
  const value = found.value as unknown;
  switch (tag) {
    case tagDate:
      if (typeof value === 'number') return new Date(value);
      break;
    case tagBigInt:
      if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value);
      break;
    case tagMinusZero:
      return -0;
    case tagSet:
      if (Array.isArray(value)) return new Set(revived(value, refs) as unknown[]);
      break;
    case tagMap:
      if (Array.isArray(value) && value.length % 2 === 0) {
        const flat = revived(value, refs) as unknown[];
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
        return map;
      }
      break;
    case tagRef:
      return refs.unpack(value);
  }
  throw new NotDecodable(`malformed tag ${tag}`);
}

const pending = new Float64Array(2 * depthMax + 2);

/** Walks the bytes without building anything: whether they are one value within the limits, and whether tags are in it. */
function scan(bytes: Uint8Array): boolean {
  let at = 0;
  let depth = 0;
  let items = 0;
  let tagged = false;
  pending[0] = 1;
  for (;;) {
    while (pending[depth] === 0) {
      if (depth-- === 0) {
        if (at !== bytes.length) throw new NotDecodable('bytes after the value');
        return tagged;
      }
    }
    pending[depth] = (pending[depth] as number) - 1;
    if (at >= bytes.length) throw new NotDecodable('truncated');
    if (++items > itemsMax) throw new NotDecodable('too many items');
    const first = bytes[at++] as number;
    const info = first & 31;
    const major = first >> 5;
    if (major === 7) {
      if (info === 27) at += 8;
      else if (info < 20 || info > 23) throw new NotDecodable('unknown simple value');
      continue;
    }
    let argument = info;
    if (info >= 24) {
      if (info > 26) throw new NotDecodable('64-bit or indefinite length');
      argument = 0;
      for (let width = 1 << (info - 24); width > 0; width--) argument = argument * 256 + (bytes[at++] ?? NaN);
    }
    if (major <= 1) continue;
    if (major <= 3) at += argument;
    else {
      if (major === 6) {
        if (argument < tagDate || argument > tagMinusZero) throw new NotDecodable(`unknown tag ${argument}`);
        tagged = true;
        argument = 1;
      } else if (major === 5) argument *= 2;
      if (argument > bytes.length - at) throw new NotDecodable('truncated');
      if (++depth >= pending.length) throw new NotDecodable('nested too deeply');
      pending[depth] = argument;
    }
    // also catches NaN from a header that was cut off
    if (!(at <= bytes.length)) throw new NotDecodable('truncated');
  }
}

/** Walks a value that was refused once more, slowly, for the path to the culprit. */
export function locate(value: unknown, path: string, refs: RefCodec): NotEncodable {
  return locateIn(value, path, [], refs) ?? new NotEncodable(path, `it has more than ${itemsMax} items`);
}

function locateIn(value: unknown, path: string, above: readonly unknown[], refs: RefCodec): NotEncodable | undefined {
  if (typeof value === 'function') return new NotEncodable(path, 'it is a function');
  if (typeof value === 'symbol') return new NotEncodable(path, 'it is a symbol');
  if (typeof value === 'string' && !wellFormed(value)) return new NotEncodable(path, 'it holds half a surrogate pair');
  if (typeof value !== 'object' || value === null) return undefined;
  if (above.includes(value)) return new NotEncodable(path, 'it contains itself');
  if (above.length >= depthMax) return new NotEncodable(path, `it is nested more than ${depthMax} levels deep`);
  const inside = [...above, value];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (!(i in value)) return new NotEncodable(`${path}[${i}]`, 'it is a hole in an array');
      const found = locateIn(value[i], `${path}[${i}]`, inside, refs);
      if (found) return found;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Map.prototype) {
    for (const [key, item] of value as Map<unknown, unknown>) {
      const name = `${path}.get(${typeof key === 'string' ? `'${key}'` : typeof key})`;
      const found = locateIn(key, `a key of ${path}`, inside, refs) ?? locateIn(item, name, inside, refs);
      if (found) return found;
    }
    return undefined;
  }
  if (prototype === Set.prototype) {
    for (const item of value as Set<unknown>) {
      const found = locateIn(item, `an item of ${path}`, inside, refs);
      if (found) return found;
    }
    return undefined;
  }
  if (value instanceof Uint8Array || prototype === Date.prototype || refs.isRef(value)) return undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    const constructor: unknown = (value as { constructor?: unknown }).constructor;
    const name = typeof constructor === 'function' && constructor.name ? constructor.name : 'an unnamed class';
    return new NotEncodable(path, `it is an instance of ${name}, which would arrive as something else`);
  }
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.length > 0) return new NotEncodable(`${path}[${String(symbols[0])}]`, 'its key is a symbol');
  for (const key of Object.keys(value)) {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    if (key === '__proto__' || !wellFormed(key)) return new NotEncodable(name, 'a key that cannot be sent');
    const found = locateIn((value as Record<string, unknown>)[key], name, inside, refs);
    if (found) return found;
  }
  return undefined;
}
