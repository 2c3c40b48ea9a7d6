/**
 * Integers and bytes are read back as they were written; whatever else is read is malformed, and never beyond the end.
 */
import test from 'ava';
import fc from 'fast-check';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';

const uint = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 300 }),
  // the edges of every length, and of what 32-bit arithmetic can do
  fc.tuple(fc.nat({ max: 53 }), fc.integer({ min: -2, max: 2 })).map(([bits, off]) => clamp(2 ** bits + off)),
);

function clamp(value: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, value));
}

function varint(value: number): Uint8Array {
  const w = new Writer(1);
  w.varint(value);
  return w.take();
}

/** The bytes of LEB128, by the book. */
function naiveVarint(value: number): number[] {
  const bytes: number[] = [];
  let left = BigInt(value);
  do {
    bytes.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return bytes;
}

test('an integer is written as LEB128 and read back', (t) => {
  fc.assert(
    fc.property(uint, (value) => {
      const bytes = varint(value);
      t.deepEqual([...bytes], naiveVarint(value));
      const r = new Reader(bytes);
      t.is(r.varint(), value);
      t.is(r.left, 0);
    }),
    { numRuns: 1000 },
  );
});

test('the largest integer has 53 bits; one more is malformed', (t) => {
  t.is(new Reader(varint(Number.MAX_SAFE_INTEGER)).varint(), Number.MAX_SAFE_INTEGER);
  // 2^53
  t.throws(() => new Reader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)).varint(), {
    instanceOf: Malformed,
  });
  t.throws(() => new Reader(new Uint8Array(8).fill(0xff)).varint(), { instanceOf: Malformed });
  t.throws(() => new Reader(new Uint8Array(100).fill(0xff)).varint(), { instanceOf: Malformed });
});

test('what is no unsigned 53-bit integer is refused by the writer', (t) => {
  for (const value of [-1, NaN, Infinity, -Infinity, 2 ** 53]) {
    t.throws(() => varint(value), { instanceOf: RangeError }, String(value));
  }
});

test('an integer that is not in its shortest form is malformed', (t) => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 20 }), fc.integer({ min: 1, max: 4 }), (value, padding) => {
      const bytes = [...varint(value)];
      bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80;
      for (let i = 1; i < padding; i++) bytes.push(0x80);
      bytes.push(0);
      t.throws(() => new Reader(Uint8Array.from(bytes)).varint(), { instanceOf: Malformed });
    }),
  );
});

test('any bytes give an integer or Malformed, and what is read is written the same', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const r = new Reader(bytes);
      try {
        const value = r.varint();
        t.deepEqual(varint(value), bytes.slice(0, r.at));
      } catch (error) {
        t.true(error instanceof Malformed);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a reader never reads past its end, wherever that is', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat({ max: 20 }), fc.nat({ max: 30 }), (bytes, at, count) => {
      const end = Math.max(0, bytes.length - 2);
      const start = Math.min(at, end);
      for (const use of ['raw', 'skip'] as const) {
        const r = new Reader(bytes, start, end);
        if (count > end - start) t.throws(() => r[use](count), { instanceOf: Malformed });
        else {
          r[use](count);
          t.is(r.at, start + count);
          t.is(r.left, end - start - count);
        }
      }
    }),
  );
  const r = new Reader(Uint8Array.of(1, 2, 3), 0, 1);
  t.is(r.u8(), 1);
  t.throws(() => r.u8(), { instanceOf: Malformed });
  t.throws(() => new Reader(Uint8Array.of(0x80, 1), 0, 1).varint(), { instanceOf: Malformed });
});

test('a slice is an alias of what is read, not a copy of it', (t) => {
  const bytes = Uint8Array.of(1, 2, 3);
  const slice = new Reader(bytes, 1).raw(2);
  bytes[1] = 9;
  t.deepEqual([...slice], [9, 3]);
});

test('a writer keeps everything in order as it grows, and hands out a copy', (t) => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 50 }), uint)), fc.nat({ max: 8 }), (parts, capacity) => {
      const w = new Writer(capacity);
      const expected: number[] = [];
      for (const part of parts) {
        if (typeof part === 'number') {
          w.varint(part);
          w.u8(part % 256);
          expected.push(...naiveVarint(part), part % 256);
        } else {
          w.raw(part);
          expected.push(...part);
        }
      }
      const taken = w.take();
      t.deepEqual([...taken], expected);
      w.clear();
      w.u8(0xee);
      t.deepEqual([...taken], expected);
      t.deepEqual([...w.take()], [0xee]);
    }),
  );
});
