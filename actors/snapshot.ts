/**
 * A state as a stream of chunks, each of which is encoded and decoded in a few milliseconds, whatever the state's size.
 *
 * What is encoded is the state itself, or what a user's `snapshot` made of it: a value, or an iterable, of which each
 * value is encoded as it comes and handed out at the far end as soon as its last byte is there.
 */
import { NotDecodable, NotEncodable } from './errors.js';
import { Content, snapshotVersion } from './snapshot-format.js';
import { SnapshotReader } from './snapshot-reader.js';
import { SnapshotWriter } from './snapshot-writer.js';
import { unsendable } from './unsendable.js';
import type { RefCodec } from './wire-format.js';

/** Hands out a state chunk by chunk. */
export interface SnapshotEncoder {
  /** The next chunk, or a promise of it if it waits for the user's iterable. After the last one it must not be called. */
  next(): Snapshot | Promise<Snapshot>;
  /** No more chunks are wanted: a user's iterable may close what it has open. */
  cancel(): void;
}

/** One that has all it needs. */
export interface StateEncoder extends SnapshotEncoder {
  next(): Snapshot;
}

/** A chunk of a snapshot. */
export interface Snapshot {
  readonly chunk: Uint8Array;
  readonly last: boolean;
}

/** Encodes what a user's `snapshot` returned. Errors come out of `next`: {@link NotEncodable}. */
export function snapshotEncoder(value: unknown, refs: RefCodec): SnapshotEncoder {
  const content = contentOf(value);
  return content === undefined ? stateEncoder(value, refs) : iterableEncoder(content, refs);
}

function writerOf(content: number, refs: RefCodec): SnapshotWriter {
  const writer = new SnapshotWriter(refs);
  writer.byte(snapshotVersion);
  writer.byte(content);
  return writer;
}

type Source = Iterator<unknown> | AsyncIterator<unknown>;

/** What hands out the values, if it is iterable and nothing that could be sent as it is. */
function contentOf(value: unknown): Source | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  if (!(Symbol.iterator in value) || Array.isArray(value) || ArrayBuffer.isView(value)) return undefined;
  if (value instanceof Map || value instanceof Set) return undefined;
  return (value as Iterable<unknown>)[Symbol.iterator]();
}

/** Encodes a state as it is, and never waits. Errors come out of `next`: {@link NotEncodable}. */
export function stateEncoder(state: unknown, refs: RefCodec): StateEncoder {
  const writer = writerOf(Content.state, refs);
  const writing = writer.stream(state);
  return {
    next() {
      const last = located(state, 'state', refs, () => writing.next().done === true);
      return { chunk: writer.take(), last };
    },
    cancel: () => undefined,
  };
}

function iterableEncoder(source: Source, refs: RefCodec): SnapshotEncoder {
  const writer = writerOf(Content.iterable, refs);
  /** Of a value that takes more than a chunk. */
  let writing: Iterator<void> | undefined;
  let value: unknown;

  function write(): boolean {
    writing ??= writer.stream(value);
    if (writing.next().done !== true) return false;
    writing = undefined;
    return true;
  }

  /** Takes a value in, if there is one. Returns a chunk if one is full. */
  function take(result: IteratorResult<unknown> | undefined): Snapshot | undefined {
    if (result?.done) return { chunk: writer.take(), last: true };
    if (result) ({ value } = result);
    const whole = located(value, 'a value of the snapshot', refs, write);
    return whole && !writer.full ? undefined : { chunk: writer.take(), last: false };
  }

  async function later(pending: Promise<IteratorResult<unknown>>): Promise<Snapshot> {
    for (;;) {
      const chunk = take(await pending);
      if (chunk) return chunk;
      pending = Promise.resolve(source.next());
    }
  }

  return {
    next() {
      let chunk = writing ? take(undefined) : undefined;
      while (!chunk) {
        const result = source.next();
        if (result instanceof Promise) return later(result);
        chunk = take(result);
      }
      return chunk;
    },
    cancel() {
      const closed = source.return?.();
      if (closed instanceof Promise) closed.catch(() => undefined);
    },
  };
}

/** Runs what writes a value; an error names the place in the value where it is. */
function located<T>(value: unknown, name: string, refs: RefCodec, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw error instanceof NotEncodable ? unsendable(value, name, refs) : error;
  }
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

/** Takes chunks in and gives back what was encoded. */
export interface SnapshotDecoder {
  /** Bytes taken in. */
  readonly bytes: number;
  /** Whether the snapshot came from an iterable; known with the first chunk. */
  readonly iterable: boolean;
  /** Takes a chunk. Returns the values that it completes: one in all of a state. Throws {@link NotDecodable}. */
  push(chunk: Uint8Array): unknown[];
  /** After the last chunk. Throws {@link NotDecodable} if something is missing. */
  finish(): void;
}

/** Starts decoding a snapshot. */
export function snapshotDecoder(refs: RefCodec): SnapshotDecoder {
  const reader = new SnapshotReader(refs);
  let bytes = 0;
  let content: number | undefined;
  let values = 0;

  function readStart(): void {
    const version = reader.byte();
    if (version !== snapshotVersion) throw new NotDecodable(`a snapshot of layout ${version}, not ${snapshotVersion}`);
    content = reader.byte();
    if (content !== Content.state && content !== Content.iterable) throw new NotDecodable('malformed snapshot');
  }

  return {
    get bytes() {
      return bytes;
    },
    get iterable() {
      return content === Content.iterable;
    },
    push(chunk) {
      bytes += chunk.length;
      reader.begin(chunk);
      if (content === undefined) readStart();
      const complete: unknown[] = [];
      reader.read((value) => void complete.push(value));
      values += complete.length;
      return complete;
    },
    finish() {
      if (reader.isInside || content === undefined) throw new NotDecodable('the snapshot is cut off');
      if (content === Content.state && values !== 1) throw new NotDecodable(`${values} states`);
    },
  };
}
