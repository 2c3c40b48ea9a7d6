/**
 * The very bytes that cbor-x as it comes makes too much of, or the wrong thing: each is shown to do its harm there (so that these
 * are the bytes), and to be refused, or to be what it says, by the library's own reader.
 */
import { createRequire } from 'node:module';
import test from 'ava';
import type * as Cbor from 'cbor-x';
import { NotDecodable } from '../../actors/errors.js';
import { createTable, foundTable, openTable } from '../../actors/structures.js';
import { decodeValue, decodeWith, encodeValue } from '../../actors/values.js';
import { Marker, Tag, noRefs } from '../../actors/wire-format.js';

const asItComes = createRequire(import.meta.url)('cbor-x') as typeof Cbor;
const mebibyte = 1024 * 1024;

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [0x60 | bytes.length, ...bytes];
}

/** A value is `levels` tables deep: each has one value, a list of so many references to it, and is the value of the next. */
function packedTables(levels: number, references: number): Uint8Array {
  let value: number[] = [0x81, 0x00];
  for (let i = 0; i < levels; i++) {
    const list = [0x80 | references, ...new Array<number>(references).fill(0xe0)];
    // tag 51: a list of shared values, prefixes, suffixes, and what refers to them
    value = [0xd8, 0x33, 0x84, 0x81, ...value, 0x80, 0x80, ...list];
  }
  return Uint8Array.from(value);
}

function millisOf(run: () => unknown): number {
  const from = performance.now();
  run();
  return performance.now() - from;
}

function itemsIn(value: unknown): number {
  return Array.isArray(value) ? value.reduce<number>((sum, item) => sum + itemsIn(item), 1) : 1;
}

test('packed tables within packed tables: a few bytes are not a gigabyte, but refused', (t) => {
  const few = asItComes.decode(packedTables(4, 8)) as unknown;
  t.true(itemsIn(few) > 1000, `${itemsIn(few)} items of ${packedTables(4, 8).length} bytes, as cbor-x comes`);
  for (const bytes of [packedTables(1, 1), packedTables(4, 8), packedTables(18, 10)]) {
    const before = process.memoryUsage().heapUsed;
    t.throws(() => decodeValue(bytes), { instanceOf: NotDecodable });
    t.true(process.memoryUsage().heapUsed - before < mebibyte);
  }
  // a reference to a table alone, in its short and its long form, and a table for records
  for (const bytes of [[0xe0], [0xc6, 0x00], [0xd8, 0x69, 0x80], [0xd9, 0xdf, 0xff, 0x80], [0xd9, 0x01, 0x1c, 0x80]])
    t.throws(() => decodeValue(Uint8Array.from(bytes)), { instanceOf: NotDecodable });
});

test('a BigInt of 64 KiB is read in no time', (t) => {
  const bytes = new Uint8Array(3 + 1 + 64 * 1024 - 1).fill(0xff);
  bytes.set([0xc2, 0x59, 0xff, 0xff]);
  let read: unknown;
  const ours = millisOf(() => (read = decodeValue(bytes)));
  t.is((read as bigint) + 1n, 1n << BigInt(8 * 0xffff));
  const theirs = millisOf(() => asItComes.decode(bytes));
  t.true(ours < theirs / 2, `${ours.toFixed(1)} ms, as cbor-x comes ${theirs.toFixed(1)} ms`);
  bytes[0] = 0xc3;
  t.is(decodeValue(bytes), -(1n << BigInt(8 * 0xffff)));
});

test('a key __proto__ is refused, wherever and however it is written, and nothing else like it', (t) => {
  const key = Buffer.from('__proto__');
  t.deepEqual(Object.keys(asItComes.decode(Uint8Array.from([0xa1, ...text('__proto__'), 0x01])) as object), [
    '__proto_',
  ]);
  const heads = [[0x69], [0x78, 9], [0x79, 0, 9], [0x7a, 0, 0, 0, 9]];
  for (const head of heads) {
    const map = [0xa1, ...head, ...key, 0x80];
    for (const bytes of [map, [0x81, ...map], [0xa1, ...text('a'), ...map], [0xd9, 0x9c, 0xa7, 0x81, ...map]])
      t.throws(() => decodeValue(Uint8Array.from(bytes)), { instanceOf: NotDecodable, message: /__proto__/ });
    // as a value, or in a Map, it is a text
    t.is(decodeValue(Uint8Array.from([...head, ...key])), '__proto__');
  }
  const map = new Map([['__proto__', '__proto__']]);
  t.deepEqual(decodeValue(encodeValue(map)), map);
  const near = { ___proto__: 1, __proto_: 2, __proto___: 3, a_proto_b: 4, constructor: 5, prototype: 6 };
  t.deepEqual(decodeValue(encodeValue(near)), near);
  t.is(({} as Record<string, unknown>)['polluted'], undefined);
});

test('a text is UTF-8 to its end: none reads on in what follows it, or is another at another node', (t) => {
  const bad = [
    [0xe2],
    [0xc3],
    [0xf0, 0x9f, 0x98],
    [0x80],
    [0xc0, 0xaf],
    [0xed, 0xa0, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xff],
  ];
  for (const bytes of bad) {
    for (const before of ['', 'a', 'x'.repeat(30), 'x'.repeat(100), 'x'.repeat(5000)]) {
      const text = Buffer.concat([Buffer.from(before), Buffer.from(bytes)]);
      const head = [0x79, text.length >> 8, text.length & 0xff];
      const follows = [0x62, 0x41, 0x42, 0x05];
      for (const around of [
        [0x83, ...head, ...text, ...follows],
        [0xa2, ...head, ...text, ...follows.slice(0, 3), 0x60, 0x05],
      ])
        t.throws(() => decodeValue(Uint8Array.from(around)), { instanceOf: NotDecodable });
    }
  }
  for (const good of ['é', '€', '😀', '\0', 'x'.repeat(100) + '€']) t.is(decodeValue(encodeValue(good)), good);
});

test('keys of objects are texts', (t) => {
  for (const key of [[0x01], [0x1b, 0, 0, 0, 0, 0, 0, 0, 7], [0x41, 0x61], [0x80], [0xf6], [0xd9, 0x9c, 0xa7, 0x80]])
    t.throws(() => decodeValue(Uint8Array.from([0xa1, ...key, 0x01])), { instanceOf: NotDecodable });
});

test('a number is a number and a BigInt a BigInt, whatever its size: Maps find what they were given', (t) => {
  t.is((asItComes.decode(Uint8Array.from([0x1b, 0, 0x20, 0, 0, 0, 0, 0, 7])) as unknown) instanceof Object, false);
  const numbers = [0, 7, 23, 24, 255, 256, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER, 2 ** 63, -1];
  const map = new Map<unknown, string>([
    ...numbers.map((n) => [n, `number ${n}`] as const),
    ...numbers.map((n) => [BigInt(n), `bigint ${n}`] as const),
  ]);
  const read = decodeValue(encodeValue(map)) as typeof map;
  for (const n of numbers) {
    t.is(read.get(n), `number ${n}`);
    t.is(read.get(BigInt(n)), `bigint ${n}`);
  }
  t.is(decodeValue(Uint8Array.from([0x1b, 0, 0, 0, 0, 0, 0, 0, 7])), 7n);
});

/** Every array buffer that a value holds. */
function buffersOf(value: unknown, into = new Set<ArrayBufferLike>()): Set<ArrayBufferLike> {
  if (ArrayBuffer.isView(value)) into.add(value.buffer);
  else if (value instanceof ArrayBuffer) into.add(value);
  else if (value instanceof Map) for (const pair of value) buffersOf(pair, into);
  else if (Array.isArray(value) || value instanceof Set) for (const item of value) buffersOf(item, into);
  else if (typeof value === 'object' && value !== null) buffersOf(Object.values(value), into);
  return into;
}

for (const [size, filler] of [
  ['short', 10],
  ['long', 10_000],
] as const) {
  test(`bytes within a ${size} value are its own: none is a part of what came in, or changes with what is read next`, (t) => {
    const make = (fill: number) => ({
      list: [Uint8Array.of(fill, 2, 3), new Uint8Array(100).fill(fill), new Uint8Array(0)],
      views: [
        Float64Array.of(fill, 2.5),
        Uint16Array.of(fill),
        BigInt64Array.of(-1n),
        new DataView(new ArrayBuffer(5)),
      ],
      buffer: new Uint8Array(33).fill(fill).buffer,
      map: new Map([['k', Uint8Array.of(fill)]]),
      set: new Set([Int8Array.of(fill)]),
      text: 'x'.repeat(filler),
    });
    const datagram = new Uint8Array(60_000);
    const encoded = encodeValue(make(7));
    datagram.set(encoded, 50);
    const received = datagram.subarray(50, 50 + encoded.length);
    const read = decodeValue(received);
    for (const buffer of buffersOf(read)) {
      t.not(buffer, datagram.buffer, 'the datagram is not kept');
      t.true(buffer.byteLength < 1000, `a part of ${buffer.byteLength} bytes`);
    }
    datagram.fill(0xff);
    decodeValue(encodeValue(make(9)));
    t.deepEqual(read, make(7));
  });
}

test('what a reader makes room for, it has seen: counts and lengths beyond the end are refused before', (t) => {
  const announced = [0xff, 0xff, 0xff, 0xff];
  for (const head of [0x5a, 0x7a, 0x9a, 0xba]) {
    const bytes = Uint8Array.from([0x82, 0x01, head, ...announced, 0x00]);
    const before = process.memoryUsage();
    t.throws(() => decodeValue(bytes), { instanceOf: NotDecodable });
    t.true(process.memoryUsage().arrayBuffers - before.arrayBuffers < mebibyte);
  }
  // without an end, which has to be looked for
  for (const head of [0x5f, 0x7f, 0x9f, 0xbf])
    t.throws(() => decodeValue(Uint8Array.from([head, 0x01, 0x02, 0xff])), { instanceOf: NotDecodable });
});

test('tags that mean something to cbor-x, and not to a message, are refused', (t) => {
  const ours = new Set<number>(Object.values(Tag));
  const typedArrays = new Set([65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 81, 82, 85, 86]);
  for (let tag = 0; tag < 0x1_0000; tag++) {
    if (ours.has(tag) || typedArrays.has(tag)) continue;
    let outcome = 'read';
    try {
      decodeValue(Uint8Array.from([0xd9, tag >> 8, tag & 0xff, tag % 2 === 0 ? 0x80 : 0x40]));
    } catch (error) {
      outcome = error instanceof NotDecodable ? 'refused' : String(error);
    }
    if (outcome !== 'refused') t.fail(`tag ${tag}: ${outcome}`);
  }
  t.pass();
});

test('every truncation and every flipped bit of a message with structures is a value, or refused', (t) => {
  const table = createTable();
  foundTable(table);
  openTable(table, 3);
  table.reader.structures.push(['type', 'n', 'bytes']);
  const record = [Marker.record, 3, 0, ...text('put'), 0x05, 0x43, 1, 2, 3];
  const nested = [
    Marker.records,
    3,
    0x82,
    0xd9,
    0xe0,
    0x00,
    0x83,
    ...text('put'),
    0x05,
    0x43,
    1,
    2,
    3,
    0xa1,
    ...text('k'),
    0xf6,
  ];
  for (const good of [record, nested]) {
    const bytes = Uint8Array.from(good);
    t.notThrows(() => decodeWith(table, bytes, noRefs));
    for (let end = 0; end < bytes.length; end++)
      t.throws(() => decodeWith(table, bytes.subarray(0, end), noRefs), { instanceOf: NotDecodable });
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      try {
        decodeWith(table, flipped, noRefs);
      } catch (error) {
        t.true(error instanceof NotDecodable, `bit ${bit}: ${String(error)}`);
      }
    }
  }
});
