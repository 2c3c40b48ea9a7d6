/** The codec: what arrives equals what was sent, or the sender gets an error that names the culprit. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import * as cbor from 'cbor-x';
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
    fc.uint8ClampedArray(),
    fc.uint16Array(),
    fc.uint32Array(),
    fc.bigUint64Array(),
    fc.int8Array(),
    fc.int16Array(),
    fc.int32Array(),
    fc.bigInt64Array(),
    fc.float32Array(),
    fc.float64Array(),
    fc.uint8Array().map((bytes) => bytes.slice().buffer),
    fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
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
    [{ d: new SharedArrayBuffer(1) }, 'message.d'],
    ['abc'.match(/b/), 'message.index'],
    [{ list: Object.assign([1], { note: 'x' }) }, 'message.list.note'],
    [Object.assign(new Map(), { note: 'x' }), 'message.note'],
    [[Object.assign(new Date(0), { note: 'x' })], 'message[0].note'],
    [Object.assign([1], { [Symbol('k')]: 1 }), 'message[Symbol(k)]'],
    [Object.defineProperty({}, 'hidden', { value: 1 }), 'message.hidden'],
    [new (class Bytes extends Uint8Array {})(1), 'message'],
    [{ list: new (class List extends Array<number> {})() }, 'message.list'],
    [{ boxed: Object(1) as unknown }, 'message.boxed'],
    [{ why: /x/ }, 'message.why'],
    [{ ['half \udc00']: 1 }, 'message["half \\udc00"]'],
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
    [0xc1, 0x01],
    [0xc2, 0x01],
    [0xd9, 0x9c, 0xa4, 0x61, 0x78],
    [0xd9, 0x9c, 0xa6, 0x81, 0x01],
    [0xd9, 0xdf, 0xff, 0x83, 0x01, 0x81, 0x61, 0x78, 0x01],
    [0xd9, 0xe0, 0x00, 0x81, 0x01],
    [0xd8, 0x56, 0x41, 0x01],
    [0xd8, 0x56, 0x81, 0x01],
    [0xd8, 0x1d, 0x00],
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

test('what both know is written as cbor-x writes it, and read by it', (t) => {
  const encoder = new cbor.Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });
  const known = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme', maxLength: 100 }),
      fc.double().filter((value) => !Object.is(value, -0)),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.bigInt(),
      fc.constantFrom(null, undefined, true, false),
      fc.uint8Array({ maxLength: 300 }),
      fc.float64Array(),
      fc.array(tie('value'), { maxLength: 30 }),
      fc.dictionary(
        fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__' && key !== 'constructor'),
        tie('value'),
        { maxKeys: 30, noNullPrototype: true },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(known, (value) => {
      fc.pre(!(value instanceof Uint8Array));
      const bytes = encodeValue(value);
      t.deepEqual(Buffer.from(bytes), encoder.encode(value));
      encoder.decode(bytes);
    }),
    { numRuns: 500 },
  );
});

test('a getter is evaluated once, and may send a message itself', (t) => {
  let asked = 0;
  let inner: Uint8Array | undefined;
  const value = {
    before: 'x'.repeat(100),
    get asked() {
      inner = encodeValue({ inner: 'y'.repeat(200_000), n: ++asked });
      t.throws(() => encodeValue(test), { instanceOf: NotEncodable });
      return asked;
    },
    after: [1],
  };
  t.deepEqual(roundTrip(value), { before: value.before, asked: 1, after: [1] });
  t.deepEqual(decodeValue(inner as Uint8Array), { inner: 'y'.repeat(200_000), n: 1 });
});

test('what changes while it is written is refused, not written wrong', (t) => {
  const map = new Map<string, unknown>();
  map.set('a', {
    get grows() {
      if (map.size < 3) map.set(`more ${map.size}`, 1);
      return 1;
    },
  });
  const error = t.throws(() => encodeValue(map), { instanceOf: NotEncodable });
  t.regex(error.message, /changes/);
});

test('what decoding allocates is bounded by the size of the bytes', (t) => {
  const size = 64 * 1024;
  const repeat = (head: readonly number[], unit: readonly number[]) => {
    const count = Math.floor((size - 5) / unit.length);
    const bytes = new Uint8Array(5 + count * unit.length);
    bytes.set(head);
    new DataView(bytes.buffer).setUint32(1, count);
    for (let i = 0; i < count; i++) bytes.set(unit, 5 + i * unit.length);
    return bytes;
  };
  const list = [0x9a];
  const cases = [
    repeat(list, [0x80]),
    repeat(list, [0xa0]),
    repeat(list, [0x40]),
    repeat(list, [0xf6]),
    repeat(list, [0xd9, 0x9c, 0xa6, 0x80]),
    repeat(list, [0xd9, 0x9c, 0xa9, 0x40]),
    repeat(list, [0xd9, 0x9c, 0xaa, 0x40]),
    repeat(list, [0xd8, 0x56, 0x40]),
    repeat(list, [0xc2, 0x40]),
    repeat(list, [0x9a, 0x00, 0x00, 0xff, 0x00]),
  ];
  for (const bytes of cases) {
    const before = process.memoryUsage();
    let refused = false;
    try {
      decodeValue(bytes);
    } catch (error) {
      refused = error instanceof NotDecodable;
      if (!refused) throw error;
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const grown = heapUsed - before.heapUsed + arrayBuffers - before.arrayBuffers;
    t.true(grown < 512 * size, `${Buffer.from(bytes.subarray(0, 12)).toString('hex')}: ${grown} bytes`);
  }
});

test('any cut of good bytes is refused', (t) => {
  const bytes = encodeValue({ a: [1, 2.5, 'text'], m: new Map([[1, new Date(5)]]), b: Uint8Array.of(1) });
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeValue(bytes.slice(0, length)), { instanceOf: NotDecodable });
  }
});
