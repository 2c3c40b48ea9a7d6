/**
 * What comes ahead of a state, in its first chunk: the structures that the group has agreed on, behind their length. Also
 * members whose actors have no state to give pass them on.
 */
import { NotDecodable } from './errors.js';
import type { Member } from './host.js';
import { packTable, unpackTable } from './structures.js';

const lengthBytes = 4;

/** The head as of now. */
export function headOf({ structures }: Member): Uint8Array {
  const table = structures ? packTable(structures) : new Uint8Array(0);
  const bytes = new Uint8Array(lengthBytes + table.length);
  new DataView(bytes.buffer).setUint32(0, table.length);
  bytes.set(table, lengthBytes);
  return bytes;
}

/** Puts a head before a chunk. */
export function withHead(head: Uint8Array, chunk: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + chunk.length);
  bytes.set(head);
  bytes.set(chunk, head.length);
  return bytes;
}

/** Takes the head of a first chunk in and returns the rest. Throws {@link NotDecodable}. */
export function takeHead({ structures }: Member, chunk: Uint8Array): Uint8Array {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  const end = lengthBytes + (chunk.length < lengthBytes ? Infinity : view.getUint32(0));
  if (end > chunk.length) throw new NotDecodable('the head of the state is cut off');
  if (structures) unpackTable(structures, chunk.subarray(lengthBytes, end));
  return chunk.subarray(end);
}
