/**
 * Small byte arrays cut from larger ones: an array of its own costs more than a hundred bytes of content.
 *
 * A piece is handed out once and never reused, so it belongs to whoever got it; it keeps its slab alive, as node's own
 * small Buffers do. Slabs cannot be transferred to another thread: that would take the other pieces along.
 */
import { markAsUntransferable } from 'node:worker_threads';
import type { Deliveries } from '../lib/events.js';
import { recordHeaderBytesMax } from '../lib/wire/record.js';
import { noteAllocated } from './scavenging.js';

const slabBytes = 64 * 1024;
/** Larger pieces are arrays of their own: little is saved, and a slab would be wasted. */
const pieceBytesMax = 16 * 1024;

/** Up to here bytes are copied one by one: a view of them costs more. */
const shortBytes = 64;

let slab = new Uint8Array(0);
let used = 0;

/** Bytes with one before them. */
export function withFirst(first: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= pieceBytesMax) return alone(first, bytes);
  const at = reserve(bytes.length + 1);
  slab[at] = first;
  slab.set(bytes, at + 1);
  return new Uint8Array(slab.buffer, at, bytes.length + 1);
}

function alone(first: number, bytes: Uint8Array): Uint8Array {
  noteAllocated(bytes.length);
  const { buffer } = Buffer.allocUnsafeSlow(bytes.length + 1);
  const all = new Uint8Array(buffer);
  all[0] = first;
  all.set(bytes, 1);
  return all;
}

/** What was last shared out. */
let shared: ArrayBufferLike | undefined;

/** The bytes from `start` to `end` of what nobody goes on to change. The rest of it is shared out, too, so it cannot be transferred. */
export function sharedOf({ buffer, byteOffset }: Uint8Array, start: number, end: number): Uint8Array {
  if (buffer !== shared) {
    markAsUntransferable(buffer);
    shared = buffer;
  }
  return new Uint8Array(buffer, byteOffset + start, end - start);
}

/** Of the multicasts that were delivered together, those that are copied, and where their bytes begin in the copy. */
let copied: Deliveries | undefined;
let copy = slab;
let origin = 0;

/**
 * A copy of the bytes from `start` to `end` of what was delivered together, of which one was just taken. The first that asks
 * has all that are left copied at once, the others get theirs out of that.
 */
export function copyAmong(among: Deliveries, start: number, end: number): Uint8Array {
  if (end - start > pieceBytesMax) return copyOf(among.bytes, start, end);
  if (among !== copied) {
    const left = end - start + among.payloadBytes + among.count * recordHeaderBytesMax;
    const to = Math.min(among.bytes.length, start + left);
    const at = reserve(to - start);
    slab.set(among.bytes.subarray(start, to), at);
    copied = among;
    copy = slab;
    origin = at - start;
  }
  if (among.count === 0) copied = undefined;
  return new Uint8Array(copy.buffer, origin + start, end - start);
}

/** A copy of bytes without the first. */
export function withoutFirst(bytes: Uint8Array): Uint8Array {
  return copyOf(bytes, 1, bytes.length);
}

/** A copy of the bytes from `start` to `end`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start > pieceBytesMax) {
    noteAllocated(end - start);
    // so its memory is not filled with zeros first
    return new Uint8Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end));
  }
  const length = end - start;
  const at = reserve(length);
  if (length > shortBytes) slab.set(bytes.subarray(start, end), at);
  else for (let i = 0; i < length; i++) slab[at + i] = bytes[start + i] as number;
  return new Uint8Array(slab.buffer, at, length);
}

/** Where in the slab so many bytes may be written; a new one if they do not fit. */
function reserve(length: number): number {
  if (used + length > slab.length) {
    // not cleared: every byte that is handed out was written before
    noteAllocated(slabBytes);
    slab = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(slabBytes, length)).buffer);
    markAsUntransferable(slab.buffer);
    used = 0;
  }
  used += length;
  return used - length;
}
