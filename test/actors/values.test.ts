/** The codec: what arrives equals what was sent, or the sender gets an error that names the culprit. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { NotDecodable, NotEncodable } from '../../actors/errors.js';
import { decodeValue, encodeValue } from '../../actors/values.js';

const roundTrip = (value: unknown) => decodeValue(encodeValue(value));

const values = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
  ),
  key: fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(tie('key') as fc.Arbitrary<string>, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie('leaf'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).value;

test('values keep their types and contents', (t) => {
  fc.assert(
    fc.property(values, (value) => {
      t.true(isDeepStrictEqual(roundTrip(value), value));
    }),
    { numRuns: 500 },
  );
});

test('what cbor-x alone would change arrives unchanged', (t) => {
  t.is(roundTrip(5n), 5n);
  t.is(roundTrip(-(2n ** 80n)), -(2n ** 80n));
  t.true(Object.is(roundTrip(-0), -0));
  t.true(Object.is(roundTrip(NaN), NaN));
  t.deepEqual(roundTrip(new Date(1_700_000_000_123)), new Date(1_700_000_000_123));
  t.true(Number.isNaN((roundTrip(new Date(NaN)) as Date).getTime()));
  t.deepEqual(roundTrip(new Map([[{ a: 1 }, new Set([1n])]])), new Map([[{ a: 1 }, new Set([1n])]]));
  t.true(Object.hasOwn(roundTrip({ a: undefined }) as object, 'a'));
  t.deepEqual(roundTrip({ constructor: 'x', hasOwnProperty: 1 }), { constructor: 'x', hasOwnProperty: 1 });
  t.is((roundTrip({ a: 1 }) as object).constructor, Object);
  t.is((roundTrip({ b: Buffer.from('x') }) as { b: object }).b.constructor, Uint8Array);
  t.is(
    Object.keys(roundTrip(Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))) as object).length,
    70_000,
  );
});

test('what cannot be sent is refused at the sender, with its path', (t) => {
  class Point {
    x = 1;
  }
  const cycle: { items: unknown[] } = { items: [] };
  cycle.items.push(cycle);
  let deep: unknown = 1;
  for (let i = 0; i < 200; i++) deep = [deep];
  const cases: [unknown, string][] = [
    [{ a: { b: () => 1 } }, 'message.a.b'],
    [{ items: [1, new Point()] }, 'message.items[1]'],
    [{ 'odd key': Symbol('x') }, 'message["odd key"]'],
    [new Map([['k', { f: test }]]), "message.get('k').f"],
    [new Set([new Error('x')]), 'an item of message'],
    [cycle, 'message.items[0]'],
    [[1, , 3], 'message[1]'],
    [{ s: '\ud800' }, 'message.s'],
    [{ [Symbol('k')]: 1 }, 'message[Symbol(k)]'],
    [JSON.parse('{"a":{"__proto__":1}}'), 'message.a.__proto__'],
    [{ p: Promise.resolve() }, 'message.p'],
    [{ d: new Float64Array(1) }, 'message.d'],
  ];
  for (const [value, path] of cases) {
    const error = t.throws(() => encodeValue(value), { instanceOf: NotEncodable }, path);
    t.is(error.path, path);
  }
  t.throws(() => encodeValue(deep), { instanceOf: NotEncodable });
  t.notThrows(() => encodeValue({ after: 'an error' }));
});

test('a decoded value does not alias the bytes it came from', (t) => {
  for (const value of [Uint8Array.of(1, 2, 3), { a: Uint8Array.of(1, 2, 3) }]) {
    const bytes = encodeValue(value);
    const decoded = decodeValue(bytes);
    bytes.fill(0xff);
    t.deepEqual(decoded, value);
  }
  const own = Uint8Array.of(1, 2, 3);
  const bytes = encodeValue(own);
  own.fill(9);
  t.deepEqual(decodeValue(bytes), Uint8Array.of(1, 2, 3));
});

test('hostile bytes are refused, quickly and without a large allocation', (t) => {
  const hostile = [
    [],
    [0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
    [0x9a, 0xff, 0xff, 0xff, 0xff],
    [0xba, 0xff, 0xff, 0xff, 0xff],
    [0x9f, 1, 0xff],
    [0xd9, 0x01, 0x03, 0xa0],
    [0xc2, 0x41, 1],
    [0x1b, 0, 0, 0, 0, 0, 0, 0, 5],
    [0x5a, 0xff, 0xff, 0xff, 0xff],
    [0xf9, 0, 0],
    [0x01, 0x01],
    [0x82, 1],
    Array.from({ length: 1000 }, () => 0x81),
    Array.from({ length: 300 }, (_, i) => (i % 2 ? 0x40 : 0xd9)),
  ];
  for (const bytes of hostile)
    t.throws(() => decodeValue(Uint8Array.from(bytes)), { instanceOf: NotDecodable }, String(bytes));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeValue(bytes);
      } catch (error) {
        if (!(error instanceof NotDecodable)) throw error;
      }
      t.pass();
    }),
    { numRuns: 2000 },
  );
});

test('any cut of good bytes is refused', (t) => {
  const bytes = encodeValue({ a: [1, 2.5, 'text'], m: new Map([[1, new Date(5)]]), b: Uint8Array.of(1) });
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeValue(bytes.slice(0, length)), { instanceOf: NotDecodable });
  }
});
