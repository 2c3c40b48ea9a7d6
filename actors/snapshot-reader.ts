/**
 * Reads the chunks that a {@link SnapshotWriter} wrote, or anybody else, into values: what is malformed is refused, and
 * what is allocated is bounded by a small multiple of what has come. See `snapshot-format.ts`.
 *
 * A chunk's strings are cut from its text, which costs a third of reading each by itself. So such a string keeps its
 * chunk's text in memory: all of them together never more than the text of the snapshot.
 */
import { announcedBytesMax, depthMax } from '../lib/limits.js';
import { NotDecodable } from './errors.js';
import { copyOf } from './pool.js';
import { compileMaker, type Maker } from './shape-code.js';
import { compiledMax, compiledUses, headBytes, Tag } from './snapshot-format.js';
import { decodeValue } from './values.js';
import type { RefCodec } from './wire-format.js';

/** What is open: values are put into it until it is closed. */
interface Open {
  put(value: unknown): void;
  close(): unknown;
}

/** The keys of objects, and code that makes such an object once there were many. */
interface Shape {
  readonly keys: readonly string[];
  uses: number;
  make: Maker | undefined;
}

/** Reads chunks one by one. */
export class SnapshotReader {
  readonly #refs: RefCodec;
  readonly #open: Open[] = [];
  readonly #shapes: Shape[] = [];
  #compiled = 0;
  readonly #nextValue = (depth: number): unknown => this.#value(this.byte(), depth);
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #narrow = '';
  #narrowAt = 0;
  #wide = '';
  #wideAt = 0;

  constructor(refs: RefCodec) {
    this.#refs = refs;
  }

  /** Whether a value has been opened and not closed. */
  get isInside(): boolean {
    return this.#open.length > 0;
  }

  /** Takes a chunk's texts; then its values can be read. */
  begin(chunk: Uint8Array): void {
    if (chunk.length < headBytes) throw new NotDecodable('truncated');
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const narrow = bytes.readUInt32LE(0);
    const wide = bytes.readUInt32LE(4);
    if (narrow + wide > chunk.length - headBytes || wide % 2 !== 0) throw new NotDecodable('truncated');
    this.#narrow = bytes.toString('latin1', headBytes, headBytes + narrow);
    this.#wide = bytes.toString('ucs2', headBytes + narrow, headBytes + narrow + wide);
    this.#narrowAt = 0;
    this.#wideAt = 0;
    this.#bytes = chunk;
    this.#view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#at = headBytes + narrow + wide;
  }

  /** One byte of a chunk's values. */
  byte(): number {
    if (this.#at >= this.#bytes.length) throw new NotDecodable('truncated');
    return this.#bytes[this.#at++] as number;
  }

  /** Reads the rest of the chunk; hands out each value at the top that is complete. Throws {@link NotDecodable}. */
  read(take: (value: unknown) => void): void {
    while (this.#at < this.#bytes.length) {
      const tag = this.byte();
      if (tag >= Tag.openArray && tag < Tag.close) {
        if (this.#open.length >= depthMax) throw new NotDecodable('nested too deeply');
        this.#open.push(this.#opened(tag));
        continue;
      }
      const value = tag === Tag.close ? this.#closed() : this.#value(tag, this.#open.length);
      const into = this.#open[this.#open.length - 1];
      if (into === undefined) take(value);
      else into.put(value);
    }
    if (this.#narrowAt < this.#narrow.length || this.#wideAt < this.#wide.length) {
      throw new NotDecodable('text that nothing refers to');
    }
  }

  #closed(): unknown {
    const open = this.#open.pop();
    if (!open) throw new NotDecodable('nothing to close');
    return open.close();
  }

  #opened(tag: number): Open {
    switch (tag) {
      case Tag.openArray: {
        const array: unknown[] = [];
        return { put: (value) => void array.push(value), close: () => array };
      }
      case Tag.openSet: {
        const set = new Set<unknown>();
        return { put: (value) => void set.add(value), close: () => set };
      }
      case Tag.openMap:
        return new OpenMap();
      case Tag.openObject: {
        const object: Record<string, unknown> = {};
        return pairs((key, value) => void (object[checkedKey(key)] = value), object);
      }
      case Tag.openBytes:
        return pieces(this.#varint());
      case Tag.openOther: {
        const whole = pieces(this.#varint());
        return { put: (value) => whole.put(value), close: () => decodeValue(whole.close() as Uint8Array, this.#refs) };
      }
      default:
        return text();
    }
  }

  #varint(): number {
    const first = this.byte();
    return first < 0x80 ? first : this.#longVarint(first & 0x7f);
  }

  #longVarint(low: number): number {
    let value = low;
    let scale = 0x80;
    for (let i = 1; i < 7; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new NotDecodable('a number that is too long');
  }

  /** How many values follow. Each takes a byte at least. */
  #count(valuesEach: number): number {
    const count = this.#varint();
    if (count * valuesEach > this.#bytes.length - this.#at) throw new NotDecodable('truncated');
    return count;
  }

  #next(depth: number): unknown {
    return this.#value(this.byte(), depth);
  }

  #value(tag: number, depth: number): unknown {
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.integer: {
        const zigzag = this.#varint();
        if (zigzag > 0xffff_ffff) throw new NotDecodable('an integer of more than 32 bits');
        return (zigzag >>> 1) ^ -(zigzag & 1);
      }
      case Tag.number:
        return this.#float();
      case Tag.narrow: {
        const from = this.#narrowAt;
        const to = from + this.#varint();
        if (to > this.#narrow.length) throw new NotDecodable('text that is not there');
        this.#narrowAt = to;
        return this.#narrow.slice(from, to);
      }
      case Tag.wide: {
        const from = this.#wideAt;
        const to = from + this.#varint();
        if (to > this.#wide.length) throw new NotDecodable('text that is not there');
        this.#wideAt = to;
        return this.#wide.slice(from, to);
      }
      case Tag.date:
        return new Date(this.#float());
      case Tag.bytes: {
        const [from, to] = this.#range();
        return copyOf(this.#bytes, from, to);
      }
      case Tag.other: {
        const [from, to] = this.#range();
        return decodeValue(this.#bytes.subarray(from, to), this.#refs);
      }
      default:
        if (depth >= depthMax) throw new NotDecodable('nested too deeply');
        return this.#container(tag, depth + 1);
    }
  }

  #container(tag: number, depth: number): unknown {
    switch (tag) {
      case Tag.array: {
        const array: unknown[] = [];
        for (let left = this.#count(1); left > 0; left--) array.push(this.#next(depth));
        return array;
      }
      case Tag.set: {
        const set = new Set<unknown>();
        for (let left = this.#count(1); left > 0; left--) set.add(this.#next(depth));
        return set;
      }
      case Tag.map: {
        const map = new Map<unknown, unknown>();
        for (let left = this.#count(2); left > 0; left--) {
          const key = this.#next(depth);
          map.set(key, this.#next(depth));
        }
        return map;
      }
      case Tag.object: {
        const object: Record<string, unknown> = {};
        for (let left = this.#count(2); left > 0; left--) {
          const key = checkedKey(this.#next(depth));
          object[key] = this.#next(depth);
        }
        return object;
      }
      case Tag.shape: {
        const keys: string[] = [];
        for (let left = this.#count(1); left > 0; left--) keys.push(checkedKey(this.#next(depth)));
        const shape: Shape = { keys, uses: 0, make: undefined };
        this.#shapes.push(shape);
        return this.#shaped(shape, depth);
      }
      case Tag.shaped: {
        const shape = this.#shapes[this.#varint()];
        if (shape === undefined) throw new NotDecodable('a shape that is not there');
        return shape.make ? shape.make(this.#nextValue, depth) : this.#shaped(shape, depth);
      }
      default:
        throw new NotDecodable(`unknown tag ${tag}`);
    }
  }

  #shaped(shape: Shape, depth: number): unknown {
    const { keys } = shape;
    if (++shape.uses === compiledUses && this.#compiled < compiledMax) {
      this.#compiled++;
      shape.make = compileMaker(keys);
    }
    const object: Record<string, unknown> = {};
    for (let i = 0; i < keys.length; i++) object[keys[i] as string] = this.#next(depth);
    return object;
  }

  #float(): number {
    const from = this.#at;
    this.#at += 8;
    if (this.#at > this.#bytes.length) throw new NotDecodable('truncated');
    return this.#view.getFloat64(from, true);
  }

  #range(): readonly [number, number] {
    const length = this.#varint();
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new NotDecodable('truncated');
    return [from, this.#at];
  }
}

function checkedKey(key: unknown): string {
  if (typeof key !== 'string' || key === '__proto__') throw new NotDecodable('a key that is none');
  return key;
}

/** A Map: a class, because there are as many calls as values. */
class OpenMap implements Open {
  readonly #map = new Map<unknown, unknown>();
  #key: unknown;
  #hasKey = false;

  put(value: unknown): void {
    if (this.#hasKey) this.#map.set(this.#key, value);
    else this.#key = value;
    this.#hasKey = !this.#hasKey;
  }

  close(): unknown {
    if (this.#hasKey) throw new NotDecodable('a key without a value');
    return this.#map;
  }
}

/** Values by turns: a key, what belongs to it. */
function pairs(set: (key: unknown, value: unknown) => void, whole: unknown): Open {
  let key: unknown;
  let hasKey = false;
  return {
    put(value) {
      if (hasKey) set(key, value);
      else key = value;
      hasKey = !hasKey;
    },
    close() {
      if (hasKey) throw new NotDecodable('a key without a value');
      return whole;
    },
  };
}

function text(): Open {
  let whole = '';
  return {
    put(value) {
      if (typeof value !== 'string') throw new NotDecodable('a piece of text that is none');
      if (whole.length + value.length > textLengthMax) throw new NotDecodable('a text that is too long');
      whole += value;
    },
    close: () => whole,
  };
}

/** What a string can have in V8, and no more than any that was written. */
const textLengthMax = 2 ** 29 - 24;

function pieces(length: number): Open {
  let whole = new Uint8Array(Math.min(length, announcedBytesMax));
  let filled = 0;
  return {
    put(value) {
      if (!(value instanceof Uint8Array) || value.length > length - filled) throw new NotDecodable('too many bytes');
      if (filled + value.length > whole.length) {
        const grown = new Uint8Array(Math.min(length, 2 * whole.length));
        grown.set(whole.subarray(0, filled));
        whole = grown;
      }
      whole.set(value, filled);
      filled += value.length;
    },
    close() {
      if (filled < length) throw new NotDecodable('bytes are missing');
      return whole;
    },
  };
}
