/** The account finds whatever goes wrong with a message: lost, twice, out of order, damaged; whole, in parts, and as an object. */
import test from 'ava';
import { layoutOf, partBytes } from '../../bench/datagrams.js';
import { createChanges, createTaker } from '../../bench/objects.js';
import { createTally, endTrial, isComplete, take, takeNumber, writeMessage } from '../../bench/payload.js';
import type { Tally } from '../../bench/payload.js';

const length = 100;

function message(sender: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length);
  writeMessage(bytes, 0, length, sender, number);
  return bytes;
}

function takeAll(tally: Tally, numbers: readonly number[], sender = 1): void {
  for (const number of numbers) take(tally, message(sender, number), 0, length);
}

test('what comes once and in order counts, beyond 2^24 too, and the next trial begins after it', (t) => {
  const tally = createTally(2, length, -1);
  takeAll(tally, [0, 1, 2]);
  t.false(isComplete(tally, [0, 4]));
  t.true(isComplete(tally, [0, 3]));
  t.deepEqual(endTrial(tally, [0, 3]), { delivered: [0, 3], missing: 0, misordered: 0, damaged: 0 });
  takeAll(tally, [3]);
  t.deepEqual(endTrial(tally, [0, 1]), { delivered: [0, 1], missing: 0, misordered: 0, damaged: 0 });
  const far = createTally(2, length, -1);
  const number = 3 * 2 ** 40 + 5;
  far.next[1] = number;
  takeAll(far, [number]);
  t.is(far.next[1], number + 1);
});

test('lost in the middle and at the end, twice, out of order, damaged', (t) => {
  const cases: [number[], number, Partial<ReturnType<typeof endTrial>>][] = [
    [[0, 2], 3, { missing: 1 }],
    [[0, 1], 3, { missing: 1 }],
    [[0, 0, 1], 2, { misordered: 1, missing: 0 }],
    [[1, 0], 2, { misordered: 1, missing: 1 }],
  ];
  for (const [numbers, sent, expected] of cases) {
    const tally = createTally(2, length, -1);
    takeAll(tally, numbers);
    t.like(endTrial(tally, [0, sent]), { damaged: 0, ...expected }, numbers.join());
  }
  const tally = createTally(2, length, -1);
  const torn = message(1, 7);
  torn[length - 1] = 8;
  t.is(take(tally, torn, 0, length), -1);
  t.is(take(tally, message(1, 0), 0, length - 1), -1);
  t.is(take(tally, message(2, 0), 0, length), -1);
  t.is(tally.damaged, 3);
});

test('a message in parts counts with its last one; a part that is lost is missed', (t) => {
  const bytes = 1024 * 1024;
  const { parts, messages, bytes: most } = layoutOf('packed', bytes);
  t.deepEqual([parts, messages], [18, 1]);
  const lengths = Array.from({ length: parts }, (_, index) => partBytes(bytes, parts, index));
  t.is(
    lengths.reduce((sum, each) => sum + each, 0),
    bytes,
  );
  t.is(Math.max(...lengths), most);
  const part = (number: number) => {
    const part = new Uint8Array(lengths[number % parts] as number);
    writeMessage(part, 0, part.length, 0, number);
    return part;
  };
  const tally = createTally(1, bytes, -1, parts);
  for (let number = 0; number < 2 * parts - 1; number++) {
    t.is(tally.delivered[0], number < parts ? 0 : 1);
    take(tally, part(number), 0, part(number).length);
  }
  t.like(endTrial(tally, [2]), { missing: 1 });
  const gap = createTally(1, bytes, -1, parts);
  for (let number = 0; number < parts; number++) if (number !== 3) take(gap, part(number), 0, part(number).length);
  t.like(endTrial(gap, [1]), { missing: 1, damaged: 0 });
});

test('baselines: one message a datagram, as many as fit, or parts', (t) => {
  t.deepEqual(layoutOf('raw', 100), { messages: 1, parts: 1, bytes: 100 });
  t.deepEqual(layoutOf('packed', 100), { messages: 600, parts: 1, bytes: 60_000 });
  t.deepEqual(layoutOf('copied', 100), layoutOf('packed', 100));
  t.deepEqual(layoutOf('peer', 100), { messages: 1, parts: 1, bytes: 100 }, 'a window is one of messages');
  t.deepEqual(layoutOf('raw', 65_507), { messages: 1, parts: 1, bytes: 65_507 });
  t.deepEqual(layoutOf('raw', 65_536), { messages: 1, parts: 2, bytes: 32_768 });
});

test('objects: as bytes; a key, an operation or a value that is not the sender’s own is damage', (t) => {
  const takeChange = createTaker(12);
  const changes = createChanges(11);
  const tally = createTally(12, 64, -1);
  for (const number of [0, 1, 3, 1025]) takeChange(tally, changes(number));
  t.like(tally, { missing: 1 + 1021, misordered: 0, damaged: 0 });
  t.is(tally.delivered[11], 4);
  const { op, key, value } = changes(1026);
  takeChange(tally, { op, key, value: value + 1 });
  takeChange(tally, { op, key: key.replace('11', '12'), value });
  takeChange(tally, { op: 'get' as 'put', key, value });
  t.is(tally.damaged, 3);
  takeNumber(tally, 11, 5);
  t.is(tally.misordered, 1);
  t.true(Math.abs(JSON.stringify(changes(123_456)).length - 60) < 8, 'about 60 bytes as JSON');
});
