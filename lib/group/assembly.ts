/**
 * Multicasts that are larger than a frame come in fragments, one after the other in their sender's stream.
 *
 * Each but the last says how much is left of its multicast, so the first finds room for all. They are put in their place as they
 * come: then a frame is still in the processor's cache, and nobody has to hold it until the last one has come.
 */
import { fragmentsBytesMax } from '../limits.js';
import type { Allocate } from '../wire/bytes.js';
import { readFragment } from '../wire/record.js';

/** A multicast of which fragments have come. */
export interface Assembly {
  /** Room, of which `length` bytes are filled; none once there were more than a multicast may have. */
  bytes: Uint8Array;
  length: number;
}

const nothing = new Uint8Array(0);

/** Takes in the first fragment of a multicast. What it says of the rest finds room up to `roomMax` bytes, more as it comes. */
export function beginAssembly(fragment: Uint8Array, roomMax: number, allocate: Allocate): Assembly {
  const { left, bytes } = readFragment(fragment);
  const assembly = { bytes: allocate(Math.max(bytes.length, Math.min(left, roomMax))), length: 0 };
  put(assembly, bytes, allocate);
  return assembly;
}

/** Takes in one that follows. */
export function addFragment(assembly: Assembly, fragment: Uint8Array, allocate: Allocate): void {
  put(assembly, readFragment(fragment).bytes, allocate);
}

/** Takes in the bytes of the last one. The whole; nothing if it is too large, at every member alike. */
export function endAssembly(assembly: Assembly, last: Uint8Array, allocate: Allocate): Uint8Array {
  put(assembly, last, allocate);
  const { bytes, length } = assembly;
  return length < bytes.length ? bytes.slice(0, length) : bytes;
}

function put(assembly: Assembly, fragment: Uint8Array, allocate: Allocate): void {
  const at = assembly.length;
  assembly.length += fragment.length;
  if (assembly.length > fragmentsBytesMax) {
    assembly.bytes = nothing;
    return;
  }
  if (assembly.length > assembly.bytes.length) {
    const grown = allocate(Math.max(assembly.length, 2 * assembly.bytes.length));
    grown.set(assembly.bytes.subarray(0, at));
    assembly.bytes = grown;
  }
  assembly.bytes.set(fragment, at);
}
