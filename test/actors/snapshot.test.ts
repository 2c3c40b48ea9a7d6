/** States in chunks: equal at the far end, however large, and never long at a time. */
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { NotDecodable, NotEncodable } from '../../actors/errors.js';
import { chunkBytes, snapshotDecoder, snapshotEncoder } from '../../actors/snapshot.js';
import { noRefs } from '../../actors/values.js';

async function chunksOf(value: unknown): Promise<Uint8Array[]> {
  const encoder = snapshotEncoder(value, noRefs);
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { chunk, last } = await encoder.next();
    chunks.push(chunk);
    if (last) return chunks;
  }
}

async function roundTrip(value: unknown): Promise<unknown> {
  const decoder = snapshotDecoder(noRefs);
  for (const chunk of await chunksOf(value)) decoder.push(chunk);
  return decoder.finish()[0];
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

test('random states arrive as they were', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.object({
        key: fc.string().filter((key) => key !== '__proto__'),
        withDate: true,
        withMap: true,
        withSet: true,
        withBigInt: true,
        withTypedArray: true,
        maxDepth: 4,
      }),
      async (state) => {
        t.true(isDeepStrictEqual(await roundTrip(state), state));
      },
    ),
    { numRuns: 100 },
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
    t.true(chunk.length <= chunkBytes);
    if (last) break;
  }
  const whole = performance.now() - from;
  t.true(times.length > 50);
  const median = times.sort((a, b) => a - b)[times.length >> 1] as number;
  t.true(median < whole / 10, `median ${median} of ${whole} ms`);
});

test('an iterable of chunks comes back as its values', async (t) => {
  async function* parts() {
    yield { part: 1 };
    await Promise.resolve();
    yield new Uint8Array(600_000);
    yield 'end';
  }
  const decoder = snapshotDecoder(noRefs);
  for (const chunk of await chunksOf(parts())) decoder.push(chunk);
  t.true(decoder.iterable);
  t.true(isDeepStrictEqual(decoder.finish(), [{ part: 1 }, new Uint8Array(600_000), 'end']));
});

test('a state that cannot be sent is refused with the path to the culprit', async (t) => {
  const entries = Array.from({ length: 5000 }, (_, i): [string, unknown] => [`key${i}`, text(50, i)]);
  entries[4000] = ['key4000', { close: () => undefined }];
  const error = await t.throwsAsync(chunksOf(Object.fromEntries(entries)), { instanceOf: NotEncodable });
  t.is(error.path, 'state.key4000.close');
});

test('chunks that are cut off or made up are refused', async (t) => {
  const chunks = await chunksOf({ a: text(300_000, 1), b: [1, 2] });
  const cut = snapshotDecoder(noRefs);
  cut.push(chunks[0] as Uint8Array);
  t.throws(() => cut.finish(), { instanceOf: NotDecodable });
  for (const bytes of [
    [8, 0, 0, 0, 0],
    [77, 0, 0, 0, 0],
    [6, 0, 0, 0, 1, 0x80],
    [2, 0, 0, 0, 0, 1, 0, 0, 0, 1, 5],
  ]) {
    t.throws(() => snapshotDecoder(noRefs).push(Uint8Array.from(bytes)), { instanceOf: NotDecodable });
  }
});
