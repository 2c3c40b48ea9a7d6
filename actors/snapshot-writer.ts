/**
 * Writes a state as chunks, a few milliseconds at a time, whatever its size. See `snapshot-format.ts`.
 *
 * Every value is written in one go, up to a limit; one that turns out to be larger is taken back, opened, and its entries
 * are written one by one. So nothing is measured before it is written, and nothing but the open containers is kept.
 */
import { depthMax } from '../lib/limits.js';
import { NotEncodable } from './errors.js';
import { compileValues, type Values } from './shape-code.js';
import {
  chunkBytes,
  compiledMax,
  compiledUses,
  headBytes,
  shapeKeysMax,
  shapesMax,
  Tag,
  wholeBytesMax,
} from './snapshot-format.js';
import { encodeValue } from './values.js';
import type { RefCodec } from './wire-format.js';

/** The keys of objects, in their order, by which the next such object is known again. */
interface Shape {
  readonly number: number;
  readonly keys: readonly string[];
  /** The shapes of the values under these keys, as last seen. */
  readonly inner: (Shape | undefined)[];
  uses: number;
  /** Code that reads such objects, once there were many. */
  values: Values | undefined;
}

/** Thrown when a value is too large to be written in one go. */
const overflow = new Error('overflow');
/** Thrown for what cannot be sent; whoever has the state finds out where it is. */
const refused = new NotEncodable('state', 'it cannot be sent');

/** Bytes that any value but a long one takes: its tag and a number. */
const smallBytes = 16;
/** Containers of more entries are opened without a try. */
const entriesMax = 4096;
/** Containers of fewer entries are tried whatever became of the last ones. */
const entriesTried = 64;
/** Of a long string or of bytes. */
const pieceLength = 32 * 1024;
const notLatin1 = /[^\0-\xff]/;

/** Writes values. {@link SnapshotWriter.write} is run until it yields, that is until a chunk is full. */
export class SnapshotWriter {
  readonly #refs: RefCodec;
  #bytes = new Uint8Array(chunkBytes + 2 * wholeBytesMax);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** The characters of all strings of this chunk: adding one is quicker than writing it, and so is writing them together. */
  #text = '';
  /** Where the strings begin in the bytes, to find those that are wide after all. */
  readonly #strings: number[] = [];
  /** In the chunks before this one. */
  #taken = 0;
  /** Containers of so many entries are opened without a try, as one that was tried in vain had so many. */
  #entriesUntried = Infinity;
  /** What must not be passed while a value is written in one go, in bytes of this chunk. */
  #limit = Infinity;
  readonly #shapes: Shape[] = [];
  /** The shape of the last object that was written as a whole: the next one's, as a rule. */
  #hint: Shape | undefined;
  readonly #shapesByKeys = new Map<string, Shape>();
  #compiled = 0;
  /** Keys that were listed in vain: listing those of a large object takes long. */
  #listed: { readonly object: object; readonly keys: readonly string[] } | undefined;

  constructor(refs: RefCodec) {
    this.#refs = refs;
  }

  /** Whether a chunk is full. */
  get full(): boolean {
    return this.#size >= chunkBytes;
  }

  get #size(): number {
    return this.#at + this.#text.length;
  }

  /** What was written since the last time. */
  take(): Uint8Array {
    const all = this.#text;
    const { narrow, wide } = notLatin1.test(all) ? this.#sorted(all) : { narrow: all, wide: '' };
    const wideAt = headBytes + narrow.length;
    const valuesAt = wideAt + 2 * wide.length;
    const chunk = Buffer.from(new ArrayBuffer(valuesAt + this.#at));
    chunk.writeUInt32LE(narrow.length, 0);
    chunk.writeUInt32LE(2 * wide.length, 4);
    chunk.write(narrow, headBytes, 'latin1');
    chunk.write(wide, wideAt, 'ucs2');
    chunk.set(this.#bytes.subarray(0, this.#at), valuesAt);
    this.#taken += this.#size;
    this.#at = 0;
    this.#text = '';
    this.#strings.length = 0;
    return new Uint8Array(chunk.buffer);
  }

  /** Tells wide strings from narrow ones. They all were written as narrow ones: most chunks have no others. */
  #sorted(all: string): { readonly narrow: string; readonly wide: string } {
    let [narrow, wide, from] = ['', '', 0];
    for (const at of this.#strings) {
      const to = from + this.#readVarint(at + 1);
      const text = all.slice(from, to);
      from = to;
      if (notLatin1.test(text)) {
        this.#bytes[at] = Tag.wide;
        wide += text;
      } else narrow += text;
    }
    return { narrow, wide };
  }

  #readVarint(at: number): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#bytes[at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  /** One byte of a chunk's values. */
  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  /** Writes a value in one go if it is small. Else nothing is written, and it is to be written by {@link stream}. */
  attempt(value: unknown, depth: number): boolean {
    if (this.#entriesUntried < Infinity && entriesOf(value) >= this.#entriesUntried) return false;
    const at = this.#at;
    const text = this.#text;
    const strings = this.#strings.length;
    const shapes = this.#shapes.length;
    this.#limit = this.#size + wholeBytesMax;
    try {
      this.#hint = this.#put(value, depth, this.#hint) ?? this.#hint;
      return true;
    } catch (error) {
      if (error !== overflow) throw error;
      this.#at = at;
      this.#text = text;
      this.#strings.length = strings;
      for (const { keys } of this.#shapes.splice(shapes)) this.#shapesByKeys.delete(keys.join('\0'));
      this.#entriesUntried = Math.max(entriesTried, entriesOf(value));
      return false;
    }
  }

  /** Writes a value of any size; yields whenever a chunk is full. */
  *stream(value: unknown, depth = 0): Generator<void, void> {
    if (!this.attempt(value, depth)) {
      if (depth >= depthMax) throw refused;
      const from = this.#taken + this.#size;
      if (typeof value === 'string') yield* this.#streamText(value);
      else if (isBytes(value)) yield* this.#streamPieces(Tag.openBytes, value);
      else if (Array.isArray(value)) yield* this.#streamItems(Tag.openArray, items(value), depth + 1);
      else if (value instanceof Set) yield* this.#streamItems(Tag.openSet, value, depth + 1);
      else if (value instanceof Map) yield* this.#streamEntries(Tag.openMap, value, depth + 1);
      else if (isPlain(value))
        yield* this.#streamEntries(Tag.openObject, this.#entries(value as Record<string, unknown>), depth + 1);
      else yield* this.#streamPieces(Tag.openOther, encodeValue(value, this.#refs));
      this.byte(Tag.close);
      if (this.#taken + this.#size - from < wholeBytesMax) this.#entriesUntried = Infinity;
    }
    if (this.full) yield;
  }

  *#streamItems(tag: number, values: Iterable<unknown>, depth: number): Generator<void, void> {
    this.byte(tag);
    for (const value of values) {
      if (!this.attempt(value, depth)) yield* this.stream(value, depth);
      else if (this.full) yield;
    }
  }

  *#streamEntries(tag: number, entries: Iterable<readonly [unknown, unknown]>, depth: number): Generator<void, void> {
    this.byte(tag);
    for (const [key, value] of entries) {
      if (key === '__proto__' && tag === Tag.openObject) throw refused;
      if (!this.attempt(key, depth)) yield* this.stream(key, depth);
      if (!this.attempt(value, depth)) yield* this.stream(value, depth);
      else if (this.full) yield;
    }
  }

  *#entries(value: Record<string, unknown>): Generator<readonly [string, unknown], void> {
    for (const key of this.#keysOf(value)) yield [key, value[key]];
  }

  *#streamText(text: string): Generator<void, void> {
    this.byte(Tag.openText);
    this.#limit = Infinity;
    for (let from = 0; from < text.length; from += pieceLength) {
      this.#putString(text.slice(from, from + pieceLength));
      if (this.full) yield;
    }
  }

  *#streamPieces(tag: number, bytes: Uint8Array): Generator<void, void> {
    this.byte(tag);
    this.#varint(bytes.length);
    this.#limit = Infinity;
    for (let from = 0; from < bytes.length; from += pieceLength) {
      this.#putBytes(Tag.bytes, bytes.subarray(from, from + pieceLength));
      if (this.full) yield;
    }
  }

  #varint(value: number): void {
    while (value >= 0x80) {
      this.#bytes[this.#at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#at++] = value;
  }

  /** Throws `overflow` if so many bytes more are too many for a value that is written in one go. */
  #claim(bytes: number): void {
    if (this.#size + bytes > this.#limit) throw overflow;
    if (this.#at + bytes + smallBytes <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#bytes.length + bytes));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Returns the shape of the value, if it has one; `hint` is the shape that it may have. */
  #put(value: unknown, depth: number, hint: Shape | undefined): Shape | undefined {
    this.#claim(smallBytes);
    switch (typeof value) {
      case 'string':
        this.#putString(value);
        return undefined;
      case 'number':
        this.#putNumber(value);
        return undefined;
      case 'boolean':
        this.byte(value ? Tag.true : Tag.false);
        return undefined;
      case 'undefined':
        this.byte(Tag.undefined);
        return undefined;
      case 'object':
        if (value !== null) return this.#putObject(value, depth + 1, hint);
        this.byte(Tag.null);
        return undefined;
      case 'bigint':
        this.#putBytes(Tag.other, encodeValue(value));
        return undefined;
      case 'function':
      case 'symbol':
        throw refused;
    }
  }

  #putNumber(value: number): void {
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.byte(Tag.integer);
      let rest = ((value << 1) ^ (value >> 31)) >>> 0;
      while (rest >= 0x80) {
        this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#bytes[this.#at++] = rest;
    } else this.#putFloat(Tag.number, value);
  }

  #putFloat(tag: number, value: number): void {
    this.byte(tag);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #putString(text: string): void {
    const { length } = text;
    this.#claim(length);
    this.#strings.push(this.#at);
    this.byte(Tag.narrow);
    this.#varint(length);
    this.#text += text;
  }

  #putBytes(tag: number, bytes: Uint8Array): void {
    this.#claim(bytes.length);
    this.byte(tag);
    this.#varint(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #putObject(value: object, depth: number, hint: Shape | undefined): Shape | undefined {
    if (depth > depthMax) throw refused;
    if (isPlain(value)) return this.#putPlain(value as Record<string, unknown>, depth, hint);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value)) this.#putArray(value as unknown[], depth);
    else if (prototype === Map.prototype) this.#putMap(value as Map<unknown, unknown>, depth);
    else if (prototype === Set.prototype) this.#putSet(value as Set<unknown>, depth);
    else if (isBytes(value)) this.#putBytes(Tag.bytes, value);
    else if (prototype === Date.prototype) {
      checkBare(value);
      this.#putFloat(Tag.date, (value as Date).getTime());
    } else this.#putBytes(Tag.other, encodeValue(value, this.#refs));
    return undefined;
  }

  #putArray(value: readonly unknown[], depth: number): void {
    if (value.length > entriesMax) throw overflow;
    if (Object.keys(value).length !== value.length) throw refused;
    this.byte(Tag.array);
    this.#varint(value.length);
    let hint: Shape | undefined;
    for (const item of value) hint = this.#put(item, depth, hint);
  }

  #putSet(value: ReadonlySet<unknown>, depth: number): void {
    checkBare(value);
    if (value.size > entriesMax) throw overflow;
    this.byte(Tag.set);
    this.#varint(value.size);
    let hint: Shape | undefined;
    for (const item of value) hint = this.#put(item, depth, hint);
  }

  #putMap(value: ReadonlyMap<unknown, unknown>, depth: number): void {
    checkBare(value);
    if (value.size > entriesMax) throw overflow;
    this.byte(Tag.map);
    this.#varint(value.size);
    let hint: Shape | undefined;
    for (const [key, item] of value) {
      this.#put(key, depth, undefined);
      hint = this.#put(item, depth, hint);
    }
  }

  #putPlain(value: Record<string, unknown>, depth: number, hint: Shape | undefined): Shape | undefined {
    const keys = this.#keysOf(value);
    const count = keys.length;
    if (count > shapeKeysMax) {
      this.#putTable(value, keys, depth);
      return undefined;
    }
    const shape = this.#putShapeOf(keys, hint);
    if (shape === undefined) {
      this.#putTable(value, keys, depth);
      return undefined;
    }
    const { inner } = shape;
    if (shape.values) {
      const values = shape.values(value);
      for (let i = 0; i < count; i++) inner[i] = this.#put(values[i], depth, inner[i]);
    } else {
      this.#countUse(shape);
      for (let i = 0; i < count; i++) inner[i] = this.#put(value[keys[i] as string], depth, inner[i]);
    }
    return shape;
  }

  #countUse(shape: Shape): void {
    if (++shape.uses !== compiledUses || this.#compiled >= compiledMax) return;
    this.#compiled++;
    shape.values = compileValues(shape.keys);
  }

  /** An object's keys. Throws if it has properties beside them, which would be lost. */
  #keysOf(value: object): readonly string[] {
    if (this.#listed?.object === value) return this.#listed.keys;
    const keys = Object.keys(value);
    if (ownKeys(value) !== keys.length) throw refused;
    if (keys.length > entriesMax) {
      this.#listed = { object: value, keys };
      throw overflow;
    }
    return keys;
  }

  #putTable(value: Record<string, unknown>, keys: readonly string[], depth: number): void {
    this.byte(Tag.object);
    this.#varint(keys.length);
    let hint: Shape | undefined;
    for (const key of keys) {
      this.#putKey(key);
      hint = this.#put(value[key], depth, hint);
    }
  }

  #putKey(key: string): void {
    if (key === '__proto__') throw refused;
    this.#claim(smallBytes);
    this.#putString(key);
  }

  /** Begins an object with the shape for these keys. Undefined, and nothing is written, if there is none for them. */
  #putShapeOf(keys: readonly string[], hint: Shape | undefined): Shape | undefined {
    if (hint !== undefined && this.#isOf(hint, keys)) return this.#putShaped(hint);
    const name = keys.join('\0');
    const known = this.#shapesByKeys.get(name);
    // keys may hold the separator too
    if (known !== undefined) return this.#isOf(known, keys) ? this.#putShaped(known) : undefined;
    if (this.#shapes.length >= shapesMax) return undefined;
    this.byte(Tag.shape);
    this.#varint(keys.length);
    for (const key of keys) this.#putKey(key);
    const shape: Shape = {
      number: this.#shapes.length,
      keys,
      inner: keys.map(() => undefined),
      uses: 0,
      values: undefined,
    };
    this.#shapes.push(shape);
    this.#shapesByKeys.set(name, shape);
    return shape;
  }

  #putShaped(shape: Shape): Shape {
    this.byte(Tag.shaped);
    this.#varint(shape.number);
    return shape;
  }

  /** Whether these are the shape's keys, and it was not taken back. */
  #isOf(shape: Shape, keys: readonly string[]): boolean {
    const known = shape.keys;
    if (known.length !== keys.length || this.#shapes[shape.number] !== shape) return false;
    for (let i = 0; i < keys.length; i++) if (known[i] !== keys[i]) return false;
    return true;
  }
}

/** How many keys there are of all kinds. In two calls because `Reflect.ownKeys` takes three times as long. */
function ownKeys(value: object): number {
  return Object.getOwnPropertyNames(value).length + Object.getOwnPropertySymbols(value).length;
}

/** Refuses what somebody gave properties: these would be lost. */
function checkBare(value: object): void {
  if (ownKeys(value) > 0) throw refused;
}

/** Of a container other than an object. */
function entriesOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 0;
}

function isBytes(value: unknown): value is Uint8Array {
  if (!(value instanceof Uint8Array)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Uint8Array.prototype || prototype === Buffer.prototype;
}

function isPlain(value: unknown): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** An array's items. Throws at a hole. */
function* items(values: readonly unknown[]): Generator<unknown, void> {
  for (let i = 0; i < values.length; i++) {
    const item = values[i];
    if (item === undefined && !(i in values)) throw refused;
    yield item;
  }
}
