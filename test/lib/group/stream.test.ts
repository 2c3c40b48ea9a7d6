/** However the pieces of a stream arrive, each record is taken once and in order, and what is kept ahead is bounded. */
import test from 'ava';
import fc from 'fast-check';
import { aheadBytesMax, frameOverheadBytes } from '../../../lib/limits.js';
import { createArena } from '../../../lib/arena.js';
import { type Stream, append, createStream, freeze, missing, release, takeIn } from '../../../lib/group/stream.js';
import { lastOf } from '../../../lib/wire/record.js';
import { type MadeRecord, chunkOf, plainChunk, records } from '../records.js';

/** A stream as it is defined: the set of seqnos that arrived. */
interface Model {
  received: number;
  known: number;
  stable: number;
  readonly arrived: Set<number>;
}

function createModel(): Model {
  return { received: 0, known: 0, stable: 0, arrived: new Set() };
}

/** What the definition says becomes received by these seqnos: a range, empty if `to < from`. */
function arrive(model: Model, from: number, to: number): { from: number; to: number } {
  const before = model.received;
  model.known = Math.max(model.known, to);
  for (let seqno = from; seqno <= to; seqno++) model.arrived.add(seqno);
  while (model.arrived.has(model.received + 1)) model.received++;
  return { from: before + 1, to: model.received };
}

function missingOf(model: Model, to: number): number[] {
  const list: number[] = [];
  for (let seqno = model.received + 1; seqno <= to; seqno++) if (!model.arrived.has(seqno)) list.push(seqno);
  return list;
}

/** What neither was received nor waits ahead of a gap. A chunk that surrounds one ahead is kept in part only. */
function notHeld(stream: Stream, to: number): number[] {
  const list: number[] = [];
  const isAhead = (seqno: number): boolean => stream.ahead.some((each) => each.first <= seqno && seqno <= lastOf(each));
  for (let seqno = stream.received + 1; seqno <= to; seqno++) if (!isAhead(seqno)) list.push(seqno);
  return list;
}

function numbers(ranges: readonly { from: number; to: number }[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
}

/** What is promised of a stream at any time. */
function invariantsHold(stream: Stream, model: Model, list: readonly MadeRecord[]): boolean {
  const chunks = [...stream.chunks];
  let next = chunks[0]?.first ?? stream.received + 1;
  for (const chunk of chunks) {
    if (chunk.first !== next) return false;
    next = lastOf(chunk) + 1;
    const expected = chunkOf(list, chunk.first, lastOf(chunk));
    if (JSON.stringify(plainChunk(chunk)) !== JSON.stringify(plainChunk(expected))) return false;
  }
  let above = stream.received + 1;
  for (const chunk of stream.ahead) {
    if (chunk.first <= above) return false;
    above = lastOf(chunk);
  }
  const unstableBytes = chunks.reduce((sum, { bytes }) => sum + bytes.length + frameOverheadBytes, 0);
  return (
    next === stream.received + 1 &&
    (chunks.length === 0 ? model.stable >= stream.received : lastOf(chunks[0] as never) > model.stable) &&
    stream.unstableBytes === unstableBytes &&
    stream.aheadBytes === stream.ahead.reduce((sum, { bytes }) => sum + bytes.length + frameOverheadBytes, 0) &&
    stream.received === model.received &&
    stream.known === model.known
  );
}

/** Small enough for memory to be used again. */
const slabBytes = 64;

const made = fc.array(records, { minLength: 1, maxLength: 30 });
const moves = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('arrive' as const), at: fc.nat(), count: fc.nat({ max: 8 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), at: fc.nat(), count: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('freeze' as const), at: fc.nat(), count: fc.nat() }) },
  ),
  { maxLength: 60 },
);

test('however chunks arrive (late, twice, overlapping, with gaps), each record is returned once and in order', (t) => {
  fc.assert(
    fc.property(made, moves, (list, plan) => {
      const stream = createStream(createArena(slabBytes));
      const model = createModel();
      for (const { kind, at, count } of plan) {
        if (kind === 'arrive') arriveAt(list, stream, model, at, count, (ok, what) => t.true(ok, what));
        else if (kind === 'release') {
          model.stable = Math.max(model.stable, at % (stream.received + 1));
          release(stream, model.stable);
        } else {
          freeze(stream);
          model.known = model.received;
          for (const seqno of model.arrived) if (seqno > model.received) model.arrived.delete(seqno);
          t.deepEqual([stream.ahead.length, stream.nakAt, stream.frozen], [0, Infinity, true]);
        }
        t.true(invariantsHold(stream, model, list), kind);
        const asked = numbers(missing(stream, list.length, 1000));
        t.deepEqual(asked, notHeld(stream, list.length), 'what is asked for is what is not held');
        t.true(missingOf(model, list.length).every((seqno) => asked.includes(seqno)));
      }
      // everything once more: now the stream is complete
      arriveAt(list, stream, model, 0, list.length - 1, (ok, what) => t.true(ok, what));
      t.is(stream.received, list.length);
      t.deepEqual(missing(stream, list.length, 10), []);
    }),
    { numRuns: 300 },
  );
});

function arriveAt(
  list: readonly MadeRecord[],
  stream: Stream,
  model: Model,
  at: number,
  count: number,
  expect: (ok: boolean, what: string) => void,
): void {
  const from = 1 + (at % list.length);
  const to = Math.min(list.length, from + count);
  const fresh = takeIn(stream, chunkOf(list, from, to));
  const range = arrive(model, from, to);
  // what was not kept did not arrive, as far as the stream can know
  for (const seqno of notHeld(stream, list.length)) model.arrived.delete(seqno);
  let next = range.from;
  for (const chunk of fresh) {
    expect(chunk.first === next, 'in order, without a gap');
    const expected = chunkOf(list, chunk.first, lastOf(chunk));
    expect(JSON.stringify(plainChunk(chunk)) === JSON.stringify(plainChunk(expected)), 'as it was sent');
    next = lastOf(chunk) + 1;
  }
  expect(next === range.to + 1, 'everything that became received, and nothing else');
}

test('no more ranges are asked for than one request may have', (t) => {
  const list = Array.from({ length: 40 }, () => ({ first: 0, payload: new Uint8Array(1) }));
  const stream = createStream(createArena(slabBytes));
  for (let seqno = 2; seqno <= 40; seqno += 2) takeIn(stream, chunkOf(list, seqno, seqno));
  t.is(missing(stream, 40, 5).length, 5);
  t.deepEqual(numbers(missing(stream, 40, 5)), [1, 3, 5, 7, 9]);
  t.deepEqual(missing(stream, 4, 5), [
    { from: 1, to: 1 },
    { from: 3, to: 3 },
  ]);
  t.deepEqual(missing(stream, 0, 5), []);
});

test('what is kept ahead of a gap is bounded; what was dropped is missing, and arrives later', (t) => {
  const list = Array.from({ length: 11 }, () => ({ first: 0, payload: new Uint8Array(1024 * 1024) }));
  const stream = createStream(createArena(slabBytes));
  for (let seqno = 2; seqno <= 11; seqno++) takeIn(stream, chunkOf(list, seqno, seqno));
  t.true(stream.aheadBytes <= aheadBytesMax);
  t.is(stream.known, 11);
  const lacks = numbers(missing(stream, 11, 100));
  t.true(lacks.includes(1) && lacks.length > 5 && lacks.length < 11);
  for (const seqno of lacks) takeIn(stream, chunkOf(list, seqno, seqno));
  t.is(stream.received, 11);
});

test('own records are appended and released like others', (t) => {
  const list = Array.from({ length: 6 }, (_, i) => ({ first: 0, payload: Uint8Array.of(i) }));
  const stream = createStream(createArena(slabBytes));
  append(stream, chunkOf(list, 1, 4));
  append(stream, chunkOf(list, 5, 6));
  t.is(stream.received, 6);
  t.is(stream.known, 6);
  release(stream, 3);
  t.is(stream.chunks.length, 2, 'a chunk stays as long as any of it may be needed');
  release(stream, 5);
  t.is(stream.chunks.length, 1);
  release(stream, 6);
  t.deepEqual([stream.chunks.length, stream.unstableBytes], [0, 0]);
});
