/**
 * What the chunks of a snapshot look like. They are made for states of very many small values: a joiner's time goes into
 * making strings and objects, so strings come in blocks, and objects with the same keys name them once.
 *
 *     chunk = narrow (u32) · wide (u32) · narrow text · wide text · values
 *
 * Integers are little-endian. The texts hold the characters of all strings of the chunk, one after the other: `narrow`
 * those of strings that are Latin-1 throughout, one byte each, `wide` the rest, two bytes each. The values are written in
 * the order of a walk through the state. Each begins with a {@link Tag}. A value ends in the chunk in which it begins,
 * unless it was opened: then its content follows, value by value, up to {@link Tag.close}, through as many chunks as it
 * takes. Shapes (lists of keys) are numbered in the order in which they come up in the whole snapshot.
 */

/** The first byte of a snapshot: what reads another layout would misread it. */
export const snapshotVersion = 1;

/**
 * What a chunk is filled up to, counting a byte for each character; so one of wide text has up to twice as many, still below
 * what a message of the link may have.
 */
export const chunkBytes = 256 * 1024;

/** What is written in one go, in bytes; a value that is larger is opened. */
export const wholeBytesMax = 32 * 1024;

/** Objects with more keys name them all: they are tables rather than records. */
export const shapeKeysMax = 32;

/** Shapes above this many are not remembered: objects whose keys are data would fill the memory with them. */
export const shapesMax = 4096;

/** A shape of which there are so many objects gets code of its own; a snapshot has so many such shapes at most. */
export const compiledUses = 64;
export const compiledMax = 256;

/** Before the texts of a chunk. */
export const headBytes = 8;

/** How a value begins. `n` is a varint. */
export const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  /** Of 32 bits, zigzag, varint. */
  integer: 4,
  /** f64. */
  number: 5,
  /** n: the next n characters of the narrow text, or of the wide one. */
  narrow: 6,
  wide: 7,
  /** f64: a Date's milliseconds. */
  date: 8,
  /** n and so many bytes: a Uint8Array. */
  bytes: 9,
  /** n values. */
  array: 10,
  set: 11,
  /** n times key and value. */
  map: 12,
  object: 13,
  /** n keys, which get the next number, and their values. */
  shape: 14,
  /** n: the number of a shape; its values. */
  shaped: 15,
  /** n and so many bytes: any other value, as in a message. */
  other: 16,
  openArray: 17,
  openSet: 18,
  openMap: 19,
  openObject: 20,
  /** The content is pieces: of bytes, of which n is the sum, or of text. */
  openBytes: 21,
  openOther: 22,
  openText: 23,
  close: 24,
} as const;

/** Its second byte: what the values at the top are. */
export const Content = { state: 0, iterable: 1 } as const;
