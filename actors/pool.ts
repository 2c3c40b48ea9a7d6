/**
 * Small byte arrays cut from larger ones: an array of its own costs more than a hundred bytes of content.
 *
 * A piece is handed out once and never reused, so it belongs to whoever got it; it keeps its slab alive, as node's own
 * small Buffers do. Slabs cannot be transferred to another thread: that would take the other pieces along.
 */
import { markAsUntransferable } from 'node:worker_threads';

const slabBytes = 64 * 1024;
/** Larger pieces are arrays of their own: little is saved, and a slab would be wasted. */
const pieceBytesMax = 4 * 1024;

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
  const { buffer } = Buffer.allocUnsafeSlow(bytes.length + 1);
  const all = new Uint8Array(buffer);
  all[0] = first;
  all.set(bytes, 1);
  return all;
}

/** A copy of bytes without the first. */
export function withoutFirst(bytes: Uint8Array): Uint8Array {
  if (bytes.length > pieceBytesMax) return copyOf(bytes, 1, bytes.length);
  const at = reserve(bytes.length);
  slab.set(bytes, at);
  return new Uint8Array(slab.buffer, at + 1, bytes.length - 1);
}

/** A copy of the bytes from `start` to `end`. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (end - start > pieceBytesMax) {
    // so its memory is not filled with zeros first
    return new Uint8Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end));
  }
  const length = end - start;
  const at = reserve(length);
  if (length > shortBytes) slab.set(bytes.subarray(start, end), at);
  else for (let i = 0; i < length; i++) slab[at + i] = bytes[start + i] as number;
  return new Uint8Array(slab.buffer, at, length);
}

/** Where in the slab so many bytes, of a small piece, may be written. */
function reserve(length: number): number {
  if (used + length > slab.length) {
    slab = new Uint8Array(slabBytes);
    markAsUntransferable(slab.buffer);
    used = 0;
  }
  used += length;
  return used - length;
}
