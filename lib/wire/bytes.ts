/**
 * Bytes in and out, by hand: a growing writer, a reader that never reads past its end.
 *
 * The reader throws {@link Malformed}; whoever opens a datagram catches it once, counts it and drops the datagram.
 * Integers are unsigned LEB128 up to 2^53 - 1. Slices handed out by the reader alias what it reads.
 */

/** Bytes that no honest peer would send. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Memory for so many bytes. It need not be cleared where every byte is written before it is read. */
export type Allocate = (bytes: number) => Uint8Array;

/** Memory as the language gives it. */
export const cleared: Allocate = (bytes) => new Uint8Array(bytes);

/** Appends to a buffer of its own, which grows by doubling. */
export class Writer {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256, allocate = cleared) {
    this.bytes = allocate(capacity);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** An unsigned integer of 1 to 8 bytes. */
  varint(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`not an unsigned 53-bit integer: ${value}`);
    this.reserve(8);
    while (value >= 0x80000000) {
      this.bytes[this.length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    while (value >= 0x80) {
      this.bytes[this.length++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.bytes[this.length++] = value;
  }

  /** Raw bytes, without their length. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** What was written, copied out. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Starts anew on the same buffer. */
  clear(): void {
    this.length = 0;
  }
}

/** Reads from `bytes[at, end)`. */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    if (this.at >= this.end) throw new Malformed('truncated');
    return this.bytes[this.at++] as number;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new Malformed('integer above 2^53 - 1');
        if (byte === 0 && i > 0) throw new Malformed('integer not in shortest form');
        return value;
      }
      scale *= 0x80;
    }
    throw new Malformed('integer too long');
  }

  /** Everything must have been read. */
  mustEnd(): void {
    if (this.left > 0) throw new Malformed(`${this.left} bytes too many`);
  }

  /** Passes over `count` bytes. */
  skip(count: number): void {
    if (count > this.left) throw new Malformed('truncated');
    this.at += count;
  }

  /** The next `count` bytes, aliased. */
  raw(count: number): Uint8Array {
    if (count > this.left) throw new Malformed('truncated');
    const slice = this.bytes.subarray(this.at, this.at + count);
    this.at += count;
    return slice;
  }
}

/** A part of what it is kept from is copied if it is smaller than this: what is kept holds at most so many times its size in memory. */
const pinnedMax = 4;

/** These bytes, to be kept: a copy if they are a small part of a larger array, which would be kept with them. */
export function owned(bytes: Uint8Array): Uint8Array {
  return bytes.length * pinnedMax >= bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** One array of all these bytes. */
export function concat(pieces: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  let length = last.length;
  for (const piece of pieces) length += piece.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  whole.set(last, at);
  return whole;
}
