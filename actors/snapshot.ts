/**
 * A state as a stream of chunks, each of which is encoded and decoded in a few milliseconds, whatever the state's size.
 *
 * The encoder walks the state and encodes what is small (some 32 KB) in one go; a container that is larger is opened, its
 * entries follow in batches, and it is closed. It works from the state as it was when it started: a state is a value, the
 * function of an actor returns a new one. The chunks carry a sequence of parts `[kind u8][length u32][bytes]`, cut
 * anywhere.
 */
import { NotDecodable, NotEncodable } from './errors.js';
import { unsendable } from './unsendable.js';
import { decodeValue, encodeValue } from './values.js';
import type { RefCodec } from './wire-format.js';

/** What a chunk is filled up to. A multiple of what a batch takes, well below what a stream message may have. */
export const chunkBytes = 256 * 1024;
/** About what is encoded in one go, in bytes. */
const batchBytes = 32 * 1024;
/** Opened containers within each other; a state that nests deeper is taken for one that contains itself. */
const depthMax = 50;

const partValue = 1;
const partObject = 2;
const partArray = 3;
const partMap = 4;
const partSet = 5;
const partEntries = 6;
const partKey = 7;
const partClose = 8;
/** At the start: the values that follow are those of a user's iterable. */
const partIterable = 9;
const headBytes = 5;

/** Hands out a state chunk by chunk. */
export interface SnapshotEncoder {
  /** The next chunk, or a promise of it if the user's own iterable is slow. After the last one it must not be called. */
  next(): Snapshot | Promise<Snapshot>;
}

/** A chunk of a snapshot. */
export interface Snapshot {
  readonly chunk: Uint8Array;
  readonly last: boolean;
}

/** Encodes what a user's `snapshot` returned, or the state itself. Errors come out of `next`: {@link NotEncodable}. */
export function snapshotEncoder(value: unknown, refs: RefCodec): SnapshotEncoder {
  return isIterable(value) ? iterableEncoder(value, refs) : valueEncoder(value, refs);
}

/** An iterator or async iterator, as generators return; arrays, Maps and strings are values. */
function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.asyncIterator in value || (Symbol.iterator in value && 'next' in value);
}

function valueEncoder(value: unknown, refs: RefCodec): SnapshotEncoder {
  const parts = partsOf(value, refs, 0);
  const out = new Chunks();
  let done = false;
  return {
    next() {
      try {
        while (!done && out.length <= chunkBytes) {
          const next = parts.next();
          if (next.done) done = true;
          else out.push(next.value);
        }
      } catch (error) {
        throw error instanceof NotEncodable ? unsendable(value, 'state', refs) : error;
      }
      const chunk = out.take(chunkBytes);
      return { chunk, last: done && out.length === 0 };
    },
  };
}

function iterableEncoder(values: AsyncIterable<unknown> | Iterable<unknown>, refs: RefCodec): SnapshotEncoder {
  const iterator = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
  const out = new Chunks();
  out.push(part(partIterable));
  let done = false;
  return {
    async next() {
      while (!done && out.length <= chunkBytes) {
        const next = await iterator.next();
        if (next.done) done = true;
        else out.push(part(partValue, encodeValue(next.value, refs)));
      }
      const chunk = out.take(chunkBytes);
      return { chunk, last: done && out.length === 0 };
    },
  };
}

function part(kind: number, bytes?: Uint8Array): Uint8Array {
  const length = bytes?.length ?? 0;
  const out = new Uint8Array(headBytes + length);
  out[0] = kind;
  new DataView(out.buffer).setUint32(1, length);
  if (bytes) out.set(bytes, headBytes);
  return out;
}

function* partsOf(value: unknown, refs: RefCodec, depth: number): Generator<Uint8Array, void> {
  const kind = openKind(value);
  if (kind === 0 || sizeOf(value, batchBytes) <= batchBytes) {
    yield part(partValue, encodeValue(value, refs));
    return;
  }
  if (depth >= depthMax) throw new NotEncodable('state', 'it is nested too deeply, or contains itself');
  yield part(kind);
  let batch: unknown[] = [];
  let size = 0;
  for (const [key, item] of entriesOf(value as object, kind)) {
    const keyed = kind === partObject || kind === partMap;
    const cost = sizeOf(item, batchBytes) + (keyed ? sizeOf(key, batchBytes) : 0);
    if (size + cost > batchBytes && batch.length > 0) {
      yield part(partEntries, encodeValue(batch, refs));
      batch = [];
      size = 0;
    }
    if (cost > batchBytes) {
      if (keyed) yield part(partKey, encodeValue(key, refs));
      yield* partsOf(item, refs, depth + 1);
    } else {
      if (keyed) batch.push(key);
      batch.push(item);
      size += cost;
    }
  }
  if (batch.length > 0) yield part(partEntries, encodeValue(batch, refs));
  yield part(partClose);
}

/** The part that opens such a container; 0 for what is encoded in one piece. */
function openKind(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return partArray;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Map.prototype) return partMap;
  if (prototype === Set.prototype) return partSet;
  return prototype === Object.prototype || prototype === null ? partObject : 0;
}

function* entriesOf(value: object, kind: number): Generator<readonly [unknown, unknown], void> {
  if (kind === partObject) {
    for (const key in value) if (Object.hasOwn(value, key)) yield [key, (value as Record<string, unknown>)[key]];
  } else if (kind === partMap) yield* value as Map<unknown, unknown>;
  else if (kind === partArray) for (const item of value as unknown[]) yield [undefined, item];
  else for (const item of value as Set<unknown>) yield [undefined, item];
}

/** About how many bytes a value takes; stops counting above `most`. */
export function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return 4 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 8 + value.byteLength;
  let size = 8;
  if (Array.isArray(value) || value instanceof Set) {
    for (const item of value as Iterable<unknown>) if ((size += sizeOf(item, most - size)) > most) break;
  } else if (value instanceof Map) {
    for (const [key, item] of value) if ((size += sizeOf(key, most - size) + sizeOf(item, most - size)) > most) break;
  } else {
    for (const key in value)
      if ((size += 4 + key.length + sizeOf((value as Record<string, unknown>)[key], most - size)) > most) break;
  }
  return size;
}

/** A queue of bytes, pushed and taken in pieces of any size. */
class Chunks {
  length = 0;
  private pieces: Uint8Array[] = [];
  private offset = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.pieces.push(bytes);
    this.length += bytes.length;
  }

  /** The next `most` bytes, copied out, or what there is. */
  take(most: number): Uint8Array {
    const out = new Uint8Array(Math.min(most, this.length));
    let at = 0;
    let used = 0;
    while (at < out.length) {
      const piece = this.pieces[used] as Uint8Array;
      const count = Math.min(piece.length - this.offset, out.length - at);
      out.set(piece.subarray(this.offset, this.offset + count), at);
      at += count;
      this.offset += count;
      if (this.offset === piece.length) {
        used++;
        this.offset = 0;
      }
    }
    this.pieces.splice(0, used);
    this.length -= out.length;
    return out;
  }
}

/** Takes chunks in and gives back what was encoded. */
export interface SnapshotDecoder {
  /** Bytes taken in. */
  readonly bytes: number;
  /** Whether the snapshot came from an iterable. */
  readonly iterable: boolean;
  /** Takes a chunk. Throws {@link NotDecodable}. */
  push(chunk: Uint8Array): void;
  /** After the last chunk: the values at the top, one for a state, any number for a user's iterable. */
  finish(): readonly unknown[];
}

interface Open {
  readonly kind: number;
  readonly value: object;
  key: unknown;
}

/** Starts decoding a snapshot. */
export function snapshotDecoder(refs: RefCodec): SnapshotDecoder {
  const input = new Chunks();
  const open: Open[] = [];
  const top: unknown[] = [];
  let head: { kind: number; length: number } | undefined;
  let bytes = 0;
  let iterable = false;

  function put(value: unknown): void {
    const into = open.at(-1);
    if (!into) top.push(value);
    else if (into.kind === partArray) (into.value as unknown[]).push(value);
    else if (into.kind === partSet) (into.value as Set<unknown>).add(value);
    else if (into.kind === partMap) (into.value as Map<unknown, unknown>).set(into.key, value);
    else if (typeof into.key === 'string' && into.key !== '__proto__')
      (into.value as Record<string, unknown>)[into.key] = value;
    else throw new NotDecodable('an entry without a key');
  }

  function takePart(kind: number, body: Uint8Array): void {
    const into = open.at(-1);
    switch (kind) {
      case partIterable:
        iterable = true;
        return;
      case partValue:
        return put(decodeValue(body, refs));
      case partKey:
        if (!into) throw new NotDecodable('a key outside');
        into.key = decodeValue(body, refs);
        return;
      case partEntries: {
        const entries = decodeValue(body, refs);
        if (!into || !Array.isArray(entries)) throw new NotDecodable('entries outside');
        const keyed = into.kind === partObject || into.kind === partMap;
        for (let i = 0; i < entries.length; i++) {
          if (keyed) into.key = entries[i++];
          put(entries[i]);
        }
        return;
      }
      case partClose:
        if (!open.pop()) throw new NotDecodable('nothing to close');
        return put(into?.value);
      default: {
        const value = { [partObject]: {}, [partArray]: [], [partMap]: new Map(), [partSet]: new Set() }[kind];
        if (!value || open.length >= depthMax) throw new NotDecodable('malformed snapshot');
        open.push({ kind, value, key: undefined });
      }
    }
  }

  return {
    get bytes() {
      return bytes;
    },
    get iterable() {
      return iterable;
    },
    push(chunk) {
      bytes += chunk.length;
      input.push(chunk);
      for (;;) {
        if (!head && input.length >= headBytes) {
          const start = input.take(headBytes);
          head = { kind: start[0] as number, length: new DataView(start.buffer).getUint32(1) };
        }
        if (!head || input.length < head.length) return;
        const body = input.take(head.length);
        const { kind } = head;
        head = undefined;
        takePart(kind, body);
      }
    },
    finish() {
      if (head || input.length > 0 || open.length > 0) throw new NotDecodable('the snapshot is cut off');
      return top;
    },
  };
}
