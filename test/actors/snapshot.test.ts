/** States in chunks: equal at the far end, however large, and never long at a time. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { isDeepStrictEqual, promisify } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { NotDecodable, NotEncodable } from '../../actors/errors.js';
import { chunkBytes, compiledUses, shapeKeysMax, Tag, wholeBytesMax } from '../../actors/snapshot-format.js';
import { snapshotDecoder, snapshotEncoder } from '../../actors/snapshot.js';
import { noRefs } from '../../actors/wire-format.js';

async function chunksOf(value: unknown): Promise<Uint8Array[]> {
  const encoder = snapshotEncoder(value, noRefs);
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { chunk, last } = await encoder.next();
    chunks.push(chunk);
    if (last) return chunks;
  }
}

/** What the far end makes of chunks. */
function valuesOf(chunks: readonly Uint8Array[]): unknown[] {
  const decoder = snapshotDecoder(noRefs);
  const values = chunks.flatMap((chunk) => decoder.push(chunk));
  decoder.finish();
  return values;
}

async function roundTrip(value: unknown): Promise<unknown> {
  const [state] = valuesOf(await chunksOf(value));
  return state;
}

const text = (length: number, seed: number) => String.fromCharCode(97 + (seed % 26)).repeat(length);

test('states of all shapes and sizes arrive as they were', async (t) => {
  const states: unknown[] = [
    undefined,
    0,
    'x',
    {},
    [],
    new Map(),
    new Set(),
    Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, { i, text: text(50, i) }])),
    { big: new Map(Array.from({ length: 3000 }, (_, i) => [i, text(100, i)])), small: 1n, when: new Date(5) },
    { a: { b: { c: Array.from({ length: 20_000 }, (_, i) => [i, { even: i % 2 === 0 }]) } } },
    new Set(Array.from({ length: 10_000 }, (_, i) => text(20, i) + String(i))),
    { one: text(1_000_000, 1), bytes: new Uint8Array(700_000).fill(7), after: [undefined, null] },
    new Map<unknown, unknown>([
      [text(100_000, 3), text(100_000, 4)],
      [new Date(1), new Map([[1, text(90_000, 5)]])],
    ]),
  ];
  for (const state of states) t.true(isDeepStrictEqual(await roundTrip(state), state));
});

test('many objects of one kind arrive as they were, whatever their keys and texts', async (t) => {
  const count = 2 * compiledUses;
  const many = (make: (i: number) => unknown) => Array.from({ length: count }, (_, i) => make(i));
  const states: unknown[] = [
    many((i) => ({ id: i, name: `ä${i}`, at: { x: i / 3, y: -i } })),
    many((i) => ({ $: i, _a1: null, constructor: i, class: 'c', toString: `${i}` })),
    many((i) => ({ 'a b': i, '"': 1, '});': 2, ключ: 3 })),
    many((i) => ({ b: i, 1: 'one', a: i })),
    many((i) => Object.fromEntries(Array.from({ length: shapeKeysMax + 1 }, (_, key) => [`k${key}`, i]))),
    many((i) => ({ ['k' + 'x'.repeat(100)]: i })),
    many((i) => (i % 2 === 0 ? { a: i, b: 'narrow' } : { b: 'w€de', a: `${i}€` })),
    new Map(many((i) => [`key${i}`, i % 7 === 0 ? '😀'.repeat(i) : 'x'.repeat(i)]) as [string, string][]),
  ];
  for (const state of states) {
    const there = await roundTrip(state);
    assert.deepStrictEqual(there, state);
    t.is(JSON.stringify(there), JSON.stringify(state), 'also the order of the keys');
  }
  for (const extra of [{ [Symbol('s')]: 1 }, Object.defineProperty({}, 'hidden', { value: 1 })]) {
    const last = Object.defineProperties({ id: 1, name: 'x' }, Object.getOwnPropertyDescriptors(extra));
    const state = [...many((i) => ({ id: i, name: 'x' })), last];
    await t.throwsAsync(chunksOf(state), { instanceOf: NotEncodable });
  }
});

test('objects arrive where code may not be made of strings', async (t) => {
  const code = `
    import { snapshotDecoder, snapshotEncoder } from ${JSON.stringify(new URL('../../actors/snapshot.js', import.meta.url))};
    const encoder = snapshotEncoder(Array.from({ length: 500 }, (_, id) => ({ id, name: 'x' })), { isRef: () => false });
    const decoder = snapshotDecoder({});
    const [state] = decoder.push(encoder.next().chunk);
    console.log(state.length, JSON.stringify(state[499]));`;
  const args = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.is(stdout, '500 {"id":499,"name":"x"}\n');
});

test('containers that are too large to be tried again arrive, and small ones after them are tried', async (t) => {
  const piece = (length: number) => Array.from({ length: 500 }, (_, i) => [`key${i}`, { i, text: text(length, i) }]);
  const values = [
    piece(100),
    piece(100),
    new Set(piece(1)),
    piece(1),
    new Map(piece(200) as [string, unknown][]),
    piece(1),
  ];
  t.deepEqual(valuesOf(await chunksOf(values[Symbol.iterator]())), values);
});

/** Values of all kinds; some are repeated so often, or so long, that they take more than a chunk. */
const anything = fc.letrec((tie) => ({
  small: fc.oneof(
    fc.constantFrom<unknown>(
      undefined,
      null,
      true,
      false,
      -0,
      NaN,
      Infinity,
      2 ** 31,
      -(2 ** 31),
      0.1,
      '',
      '\ud800',
      {},
    ),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 100 }),
    fc.float64Array({ maxLength: 9 }),
  ),
  large: fc.oneof(
    fc.tuple(fc.constantFrom('x', 'ä', '€', '😀'), fc.constantFrom(100, 70_000)).map(([one, n]) => one.repeat(n)),
    fc.constantFrom(40_000, 400_000).map((length) => new Uint8Array(length).fill(length)),
  ),
  record: fc.record(
    { id: fc.integer(), name: tie('node'), 'a\0b': tie('node') },
    { noNullPrototype: true, requiredKeys: ['id'] },
  ),
  table: fc.dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    tie('node'),
    { maxKeys: 50, noNullPrototype: true },
  ),
  many: fc
    .tuple(fc.record({ id: fc.integer(), name: tie('small') }, { noNullPrototype: true }), fc.constantFrom(10, 5000))
    .map(([value, n]) => Array.from({ length: n }, () => value)),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: tie('small'), weight: 20 },
    { arbitrary: tie('large'), weight: 1 },
    { arbitrary: tie('record'), weight: 2 },
    { arbitrary: tie('table'), weight: 1 },
    { arbitrary: tie('many'), weight: 1 },
    { arbitrary: fc.array(tie('node'), { maxLength: 5 }), weight: 2 },
    { arbitrary: fc.array(tie('node'), { maxLength: 5 }).map((list) => new Set(list)), weight: 1 },
    {
      arbitrary: fc.array(fc.tuple(tie('node'), tie('node')), { maxLength: 5 }).map((list) => new Map(list)),
      weight: 2,
    },
  ),
})).node;

test('random states arrive as they were', async (t) => {
  await fc.assert(
    fc.asyncProperty(anything, async (state) => {
      assert.deepStrictEqual(await roundTrip(state), state);
    }),
    { numRuns: 100 },
  );
  t.pass();
});

test('random iterables arrive as their values', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { maxLength: 8 }), fc.boolean(), async (values, later) => {
      const source = later ? Readable.from(values.map((value) => [value])) : values[Symbol.iterator]();
      const expected = later ? values.map((value) => [value]) : values;
      assert.deepStrictEqual(valuesOf(await chunksOf(source)), expected);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('bytes from anybody are refused with a typed error, or are a state', async (t) => {
  const chunks = await chunksOf(
    new Map<unknown, unknown>([
      ['rows', Array.from({ length: 2000 }, (_, i) => ({ i, name: `name ${i}`, tags: ['a', 'ö', '€'] }))],
      ['bytes', new Uint8Array(70_000)],
      ['text', 'x'.repeat(70_000)],
      [
        'rest',
        [1n, new Date(0), new Float64Array(20_000), new Set([1.5]), undefined, Array.from({ length: 40_000 }, String)],
      ],
    ]),
  );
  t.true(chunks.length > 2);
  const at = fc.tuple(fc.nat(), fc.nat(), fc.nat(255));
  const attempt = (some: readonly Uint8Array[]) => {
    try {
      valuesOf(some);
    } catch (error) {
      t.true(error instanceof NotDecodable, String(error));
    }
  };
  fc.assert(
    fc.property(fc.array(at, { minLength: 1, maxLength: 4 }), fc.boolean(), (changes, atEnds) => {
      const some = chunks.map((chunk) => chunk.slice());
      for (const [which, where, byte] of changes) {
        const chunk = some[which % some.length] as Uint8Array;
        // most of a chunk is text, in which anything will do
        chunk[atEnds ? chunk.length - 1 - (where % Math.min(5000, chunk.length)) : where % chunk.length] = byte;
      }
      attempt(some);
    }),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(fc.nat(chunks.length - 1), fc.nat(), (which, length) => {
      const last = chunks[which] as Uint8Array;
      attempt([...chunks.slice(0, which), last.subarray(0, length % last.length)]);
    }),
  );
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 3 }), attempt), { numRuns: 2000 });
  fc.assert(
    fc.property(fc.array(fc.nat(25), { maxLength: 60 }), (tags) =>
      attempt([Uint8Array.from([3, 0, 0, 0, 0, 0, 0, 0, 97, 98, 99, 1, 0, ...tags])]),
    ),
    { numRuns: 5000 },
  );
});

test('chunks are bounded, and a chunk takes a small part of the whole', async (t) => {
  const state = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`key${i}`, { i, text: text(400, i) }]));
  const from = performance.now();
  const encoder = snapshotEncoder(state, noRefs);
  const times: number[] = [];
  for (;;) {
    const before = performance.now();
    const { chunk, last } = await encoder.next();
    times.push(performance.now() - before);
    t.true(chunk.length <= chunkBytes + 2 * wholeBytesMax);
    if (last) break;
  }
  const whole = performance.now() - from;
  t.true(times.length > 50);
  const median = times.sort((a, b) => a - b)[times.length >> 1] as number;
  t.true(median < whole / 10, `median ${median} of ${whole} ms`);
});

test('the values of an iterable come out with the chunk that completes them', async (t) => {
  async function* parts() {
    yield { part: 1 };
    await Promise.resolve();
    yield new Uint8Array(600_000);
    yield 'end';
  }
  const decoder = snapshotDecoder(noRefs);
  const values = (await chunksOf(parts())).map((chunk) => decoder.push(chunk));
  t.true(decoder.iterable);
  t.deepEqual(values[0], [{ part: 1 }]);
  t.deepEqual(values.at(-1), [new Uint8Array(600_000), 'end']);
  t.true(values.length > 2);
  decoder.finish();
});

test('an iterable that is not wanted any more is closed', async (t) => {
  let closed = 0;
  function* parts() {
    try {
      for (;;) yield new Uint8Array(300_000);
    } finally {
      closed += 1;
    }
  }
  async function* later() {
    yield* parts();
  }
  for (const source of [parts(), later()]) {
    const encoder = snapshotEncoder(source, noRefs);
    await encoder.next();
    encoder.cancel();
    await new Promise(setImmediate);
  }
  t.is(closed, 2);
});

test('a state that cannot be sent is refused with the path to the culprit', async (t) => {
  const entries = Array.from({ length: 5000 }, (_, i): [string, unknown] => [`key${i}`, text(50, i)]);
  entries[4000] = ['key4000', { close: () => undefined }];
  const error = await t.throwsAsync(chunksOf(Object.fromEntries(entries)), { instanceOf: NotEncodable });
  t.is(error.path, 'state.key4000.close');
});

test('what cannot be sent in an iterable is named too', async (t) => {
  const error = await t.throwsAsync(chunksOf([1, { f: t.pass }][Symbol.iterator]()), { instanceOf: NotEncodable });
  t.is(error.path, 'a value of the snapshot.f');
});

test('a state that is nested too deeply, or has holes or keys that would be lost, is refused', async (t) => {
  let deep: unknown = 1;
  for (let i = 0; i < 101; i++) deep = [deep];
  const cyclic: unknown[] = Array.from({ length: 10_000 }, (_, i) => i);
  cyclic.push(cyclic);
  const holes = Array.from({ length: 10_000 }, (_, i) => i);
  holes.length += 1;
  for (const state of [deep, cyclic, holes, { [Symbol('s')]: 1 }, JSON.parse('{"__proto__": 1}')]) {
    await t.throwsAsync(chunksOf(state), { instanceOf: NotEncodable });
  }
});

test('keys from anybody are no more than names', (t) => {
  const bytesOf = (key: string) => [Tag.narrow, key.length];
  for (const keys of [['a: 1, get b'], ['a', 'a'], ['x"]}); process.exit(9); (["'], ['constructor', 'a\\']]) {
    const texts = keys.join('');
    const uses = Array.from({ length: 3 * compiledUses }, () => [Tag.shaped, 0, ...keys.map(() => Tag.true)]).flat();
    const values = [Tag.shape, keys.length, ...keys.flatMap(bytesOf), ...keys.map(() => Tag.false), ...uses];
    const head = Buffer.alloc(8);
    head.writeUInt32LE(texts.length);
    const all = valuesOf([Buffer.concat([head, Buffer.from(texts), Buffer.from([1, 1, ...values])])]);
    t.deepEqual(all.at(-1), Object.fromEntries(keys.map((key) => [key, true])));
  }
});

test('chunks that are cut off or made up are refused', async (t) => {
  const chunks = await chunksOf({ a: text(300_000, 1), b: [1, 2] });
  const cut = snapshotDecoder(noRefs);
  cut.push(chunks[0] as Uint8Array);
  t.throws(() => cut.finish(), { instanceOf: NotDecodable });
  const made = (...values: number[]) => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...values]);
  t.deepEqual(valuesOf([made(1, 0, Tag.array, 2, Tag.true, Tag.null)]), [[true, null]]);
  for (const chunk of [
    made(),
    made(2, 0, Tag.true),
    made(1, 2, Tag.true),
    made(1, 0),
    made(1, 0, Tag.true, Tag.true),
    made(1, 0, Tag.close),
    made(1, 0, 77),
    made(1, 0, Tag.array, 0xff, 0xff, 0xff, 0xff, 0x0f),
    made(1, 0, Tag.narrow, 1),
    made(1, 0, Tag.shaped, 0),
    made(1, 0, Tag.object, 1, Tag.true, Tag.true),
    made(1, 0, Tag.openMap, Tag.true, Tag.close),
    made(1, 0, Tag.openBytes, 3, Tag.bytes, 1, 0, Tag.close),
    made(1, 0, ...Array.from({ length: 101 }, () => [Tag.array, 1]).flat(), Tag.true),
    Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 97, 1, 0, Tag.true]),
    Uint8Array.from([200, 0, 0, 0, 0, 0, 0, 0, 97, 1, 0, Tag.true]),
  ]) {
    t.throws(() => valuesOf([chunk]), { instanceOf: NotDecodable });
  }
});
