/** Each codec reads back what it wrote, refuses what is above its bounds, and allocates nothing on a claim. */
import test from 'ava';
import fc from 'fast-check';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';
import { type Codec, blob, bool, list, nullable, oneOf, struct, text, uint, union } from '../../../lib/wire/schema.js';
import { encodeUtf8 } from '../../../lib/wire/utf8.js';

function write<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer(1);
  codec.write(w, value);
  return w.take();
}

function isMalformed<T>(codec: Codec<T>, bytes: Uint8Array): boolean {
  try {
    codec.read(new Reader(bytes));
    return false;
  } catch (error) {
    if (error instanceof Malformed) return true;
    throw error;
  }
}

const sample = struct({
  count: uint(1000),
  flag: bool,
  bytes: blob(20),
  name: text(40),
  colour: oneOf('red', 'green'),
  maybe: nullable(uint()),
  many: list(struct({ a: uint(), b: bool }), 5),
  one: union({ empty: struct({}), full: struct({ it: uint(7) }) }),
});

const values = fc.record(
  {
    count: fc.nat({ max: 1000 }),
    flag: fc.boolean(),
    bytes: fc.uint8Array({ maxLength: 20 }),
    name: fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => encodeUtf8(name).length <= 40),
    colour: fc.constantFrom('red', 'green'),
    maybe: fc.oneof(fc.constant(null), fc.maxSafeNat()),
    many: fc.array(fc.record({ a: fc.maxSafeNat(), b: fc.boolean() }, { noNullPrototype: true }), { maxLength: 5 }),
    one: fc.oneof(
      fc.constant({ kind: 'empty' } as const),
      fc.nat({ max: 7 }).map((it) => ({ kind: 'full', it }) as const),
    ),
  },
  { noNullPrototype: true },
);

test('a value of every codec is read back as it was written', (t) => {
  fc.assert(
    fc.property(values, (value) => {
      const r = new Reader(write(sample, value as Parameters<typeof sample.write>[1]));
      t.deepEqual(sample.read(r) as unknown, value);
      t.is(r.left, 0);
    }),
  );
});

test('a value cut off anywhere is malformed, and a flipped bit gives a value or Malformed', (t) => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = write(sample, value as Parameters<typeof sample.write>[1]);
      for (let end = 0; end < bytes.length; end++) t.true(isMalformed(sample, bytes.subarray(0, end)));
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        t.notThrows(() => isMalformed(sample, flipped));
      }
    }),
    { numRuns: 30 },
  );
});

test('what is above a bound is malformed', (t) => {
  t.true(isMalformed(uint(7), Uint8Array.of(8)));
  t.false(isMalformed(uint(7), Uint8Array.of(7)));
  t.true(isMalformed(bool, Uint8Array.of(2)));
  t.true(isMalformed(blob(2), Uint8Array.of(3, 1, 1, 1)));
  t.true(isMalformed(text(2), Uint8Array.of(3, 65, 65, 65)));
  t.true(isMalformed(text(2), Uint8Array.of(1, 0xff)));
  t.true(isMalformed(oneOf('a', 'b'), Uint8Array.of(2)));
  t.true(isMalformed(list(bool, 2), Uint8Array.of(3, 1, 1, 1)));
  t.true(isMalformed(nullable(bool), Uint8Array.of(2, 1)));
  t.true(isMalformed(union({ a: struct({}) }), Uint8Array.of(1)));
});

test('a list or blob that claims more than its packet holds is malformed before anything is allocated', (t) => {
  const w = new Writer();
  w.varint(Number.MAX_SAFE_INTEGER);
  w.raw(new Uint8Array(100));
  t.true(isMalformed(list(bool, Number.MAX_SAFE_INTEGER), w.take()));
  t.true(isMalformed(blob(Number.MAX_SAFE_INTEGER), w.take()));
});

test('bytes that were read do not alias the packet', (t) => {
  const bytes = write(blob(4), Uint8Array.of(1, 2));
  const read = blob(4).read(new Reader(bytes));
  bytes.fill(0);
  t.deepEqual([...read], [1, 2]);
});
