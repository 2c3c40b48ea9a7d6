/**
 * Records: what a stream is made of. Each has a seqno, implied by its place. Multicasts and their fragments, and the
 * sender's order assignments, causal dependencies and clock, which are recovered by retransmission and flush like any
 * other.
 *
 * Form: one byte (kind, flags), length, payload.
 */
import type { Rank, Seqno, WallTime } from '../ids.js';
import type { Order } from '../membership/state.js';
import { type Writer, Malformed, Reader } from './bytes.js';

/** Record kinds; those named after an order are multicasts. */
export const RecordKind = {
  fifo: 0,
  causal: 1,
  total: 2,
  assignment: 3,
  dependencies: 4,
  barrier: 5,
  time: 6,
} as const;

/** Set on a multicast that is delivered only once stable. */
export const uniformFlag = 0x08;
/** Set on every fragment of a multicast but the last. It begins with the number of bytes that are left, its own included. */
export const moreFlag = 0x10;
/** Set on a multicast that is a request: its bytes begin with the request's head. */
export const requestFlag = 0x20;
const kindMask = 0x07;

/** Upper bound of a record's own header. */
export const recordHeaderBytesMax = 1 + 5;

/** Record kind of a multicast of this order. */
export function kindOfOrder(order: Order): number {
  return RecordKind[order];
}

/** Order of a multicast record's kind. */
export function orderOfKind(kind: number): Order {
  if (kind === RecordKind.total) return 'total';
  return kind === RecordKind.fifo ? 'fifo' : kind === RecordKind.causal ? 'causal' : 'barrier';
}

/** Kind in a record's first byte. */
export function kindOf(first: number): number {
  return first & kindMask;
}

/** Whether a record's first byte ends a multicast: it then has a message number of its own. */
export function endsMulticast(first: number): boolean {
  const kind = first & kindMask;
  return (kind <= RecordKind.total || kind === RecordKind.barrier) && (first & moreFlag) === 0;
}

/** Where in its bytes something lies: `[start, end)`. */
export interface Place {
  start: number;
  end: number;
}

/** Finds the payload of the record that begins at `at`; its bytes are known to be well formed. */
export function locate(bytes: Uint8Array, at: number, place: Place): void {
  let length = bytes[at + 1] as number;
  let start = at + 2;
  if (length >= 0x80) {
    length &= 0x7f;
    for (let scale = 0x80, more = true; more; scale *= 0x80) {
      const byte = bytes[start++] as number;
      length += (byte & 0x7f) * scale;
      more = byte >= 0x80;
    }
  }
  place.start = start;
  place.end = start + length;
}

/** Writes a record. */
export function writeRecord(w: Writer, first: number, payload: Uint8Array): void {
  w.u8(first);
  w.varint(payload.length);
  w.raw(payload);
}

/** Bytes of a fragment's record before those of its multicast, at most. */
export const fragmentHeadBytesMax = recordHeaderBytesMax + 5;

/** Writes a multicast's bytes from `start` to `end`, with more to come, as a record. */
export function writeFragment(
  w: Writer,
  first: number,
  payload: Uint8Array,
  start: number,
  end: number,
  scratch: Writer,
): void {
  scratch.clear();
  scratch.varint(payload.length - start);
  w.u8(first | moreFlag);
  w.varint(scratch.length + end - start);
  w.raw(scratch.bytes.subarray(0, scratch.length));
  w.raw(payload.subarray(start, end));
}

/** Reads such a record's payload: how many bytes its multicast has from here on, and those that are here. */
export function readFragment(payload: Uint8Array): { left: number; bytes: Uint8Array } {
  const r = new Reader(payload);
  return { left: r.varint(), bytes: r.raw(r.left) };
}

/** One entry of an assignment (the next `count` total multicasts of `rank`) or of dependencies (`rank`, up to `count`). */
export interface RankCount {
  readonly rank: Rank;
  readonly count: number;
}

/** Writes a record that holds pairs: an assignment or dependencies. */
export function writePairs(w: Writer, kind: number, pairs: readonly RankCount[], scratch: Writer): void {
  scratch.clear();
  for (const pair of pairs) {
    scratch.varint(pair.rank);
    scratch.varint(pair.count);
  }
  writeRecord(w, kind, scratch.bytes.subarray(0, scratch.length));
}

/** Bytes of a record that holds a time, at most. */
export const timeBytesMax = recordHeaderBytesMax + 8;

/** Writes a record that holds its sender's wall clock. */
export function writeTime(w: Writer, time: WallTime, scratch: Writer): void {
  scratch.clear();
  scratch.varint(time);
  writeRecord(w, RecordKind.time, scratch.bytes.subarray(0, scratch.length));
}

/** Reads such a record's payload. */
export function readTime(payload: Uint8Array): WallTime {
  const r = new Reader(payload);
  const time = r.varint();
  r.mustEnd();
  return time;
}

/** Reads the payload of a record of pairs for a view of `size` members. */
export function readPairs(payload: Uint8Array, size: number): RankCount[] {
  const r = new Reader(payload);
  const pairs: RankCount[] = [];
  while (r.left > 0) {
    const rank = r.varint();
    const count = r.varint();
    if (rank >= size) throw new Malformed(`rank ${rank} in a view of ${size}`);
    pairs.push({ rank, count });
  }
  return pairs;
}

/** Checks that the bytes are `count` whole records for a view of `size` members; {@link Malformed} otherwise. */
export function checkRecords(bytes: Uint8Array, count: number, size: number): void {
  const r = new Reader(bytes);
  for (let i = 0; i < count; i++) {
    const first = r.u8();
    const kind = kindOf(first);
    if (kind > RecordKind.time || first > 0x3f) throw new Malformed(`record kind ${first}`);
    const length = r.varint();
    if (kind === RecordKind.assignment || kind === RecordKind.dependencies) readPairs(r.raw(length), size);
    else if (kind === RecordKind.time) readTime(r.raw(length));
    else if ((first & moreFlag) !== 0) readFragment(r.raw(length));
    else r.skip(length);
  }
  r.mustEnd();
}

/** A run of consecutive records of one stream, as sent in one frame. Immutable. */
export interface Chunk {
  readonly first: Seqno;
  readonly count: number;
  /** Message number of the first multicast that ends in it. */
  readonly firstMessage: number;
  readonly bytes: Uint8Array;
}

/** The last seqno in a chunk. */
export function lastOf(chunk: Chunk): Seqno {
  return chunk.first + chunk.count - 1;
}

/** The part of a chunk with seqnos in `[from, to]`; it must not be empty. */
export function slice(chunk: Chunk, from: Seqno, to: Seqno): Chunk {
  if (from <= chunk.first && to >= lastOf(chunk)) return chunk;
  const r = new Reader(chunk.bytes);
  let seqno = chunk.first;
  let firstMessage = chunk.firstMessage;
  const skip = (): void => {
    if (endsMulticast(r.u8())) firstMessage++;
    r.skip(r.varint());
    seqno++;
  };
  while (seqno < from) skip();
  const start = { at: r.at, seqno, firstMessage };
  while (seqno <= to && seqno <= lastOf(chunk)) skip();
  return {
    first: start.seqno,
    count: seqno - start.seqno,
    firstMessage: start.firstMessage,
    bytes: chunk.bytes.subarray(start.at, r.at),
  };
}
