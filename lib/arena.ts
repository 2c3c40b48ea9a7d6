/**
 * Memory for frames that are kept until they are stable, used again and again.
 *
 * A frame as it came belongs to whoever is delivered what is in it. What is kept for retransmission is a copy: megabytes of arrays
 * that live for some milliseconds each are what a garbage collector does worst (measured: half of the processor time at 8 KB a
 * message). A copy into memory that is used again and again is cheap beside it.
 *
 * Frames become stable in about the order in which they came, so slabs are filled one after the other and reused as soon as nothing
 * is kept in them. What is dropped without a word, with its view, takes its slab along to the garbage collector.
 */

/** A piece of memory, filled from its start. */
export interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  /** Frames in it that are kept. */
  kept: number;
}

/** Slabs of one node. */
export interface Arena {
  /** Bytes of a slab. What is larger, and everything if it is 0, has an array of its own. */
  readonly slabBytes: number;
  open: Slab | null;
  /** Nothing is kept in these. */
  readonly free: Slab[];
}

/** More free slabs than this are let go. */
const freeMax = 32;

/** An arena without memory. */
export function createArena(slabBytes: number): Arena {
  return { slabBytes, open: null, free: [] };
}

/** Bytes that are kept, and where; null: in an array of their own. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly slab: Slab | null;
}

/** Keeps a copy until {@link letGo}. */
export function keep(arena: Arena, bytes: Uint8Array): Kept {
  const { length } = bytes;
  if (length > arena.slabBytes) return { bytes: bytes.slice(), slab: null };
  let slab = arena.open;
  if (!slab || slab.used + length > slab.bytes.length) {
    slab = arena.free.pop() ?? { bytes: new Uint8Array(arena.slabBytes), used: 0, kept: 0 };
    arena.open = slab;
  }
  const at = slab.used;
  slab.bytes.set(bytes, at);
  slab.used += length;
  slab.kept += 1;
  return { bytes: slab.bytes.subarray(at, slab.used), slab };
}

/** Lets go of what was kept in a slab: its bytes may be others from now on. */
export function letGo(arena: Arena, slab: Slab | null): void {
  if (!slab || --slab.kept > 0) return;
  slab.used = 0;
  if (slab !== arena.open && arena.free.length < freeMax) arena.free.push(slab);
}
