/** A run of records can be cut anywhere between records and stays itself; any other bytes are records or malformed. */
import test from 'ava';
import fc from 'fast-check';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';
import {
  RecordKind,
  checkRecords,
  endsMulticast,
  kindOf,
  kindOfOrder,
  lastOf,
  moreFlag,
  orderOfKind,
  readPairs,
  readTime,
  recordHeaderBytesMax,
  slice,
  timeBytesMax,
  uniformFlag,
  writePairs,
  writeRecord,
  writeTime,
} from '../../../lib/wire/record.js';
import { bytesOf, chunkOf, plainChunk, records } from '../records.js';
import { cutOff, flip } from '../packets.js';

const streams = fc.array(records, { minLength: 1, maxLength: 20 });

test('a slice of a chunk is the concatenation of its records, with the right numbers', (t) => {
  fc.assert(
    fc.property(streams, fc.nat(), fc.nat(), fc.nat({ max: 1000 }), fc.nat({ max: 1000 }), (stream, a, b, c, d) => {
      const whole = chunkOf(stream, 1 + (a % stream.length), stream.length);
      const to = whole.first + (b % whole.count);
      const from = whole.first + (c % (to - whole.first + 1));
      t.deepEqual(plainChunk(slice(whole, from, to)), plainChunk(chunkOf(stream, from, to)));
      // ends beyond the chunk mean its own ends
      t.deepEqual(
        plainChunk(slice(whole, from, to + d)),
        plainChunk(chunkOf(stream, from, Math.min(to + d, lastOf(whole)))),
      );
      t.is(slice(whole, whole.first - d, lastOf(whole) + d), whole);
    }),
  );
});

test('two slices next to each other are the chunk', (t) => {
  fc.assert(
    fc.property(streams, fc.nat(), (stream, at) => {
      const whole = chunkOf(stream, 1, stream.length);
      const middle = 1 + (at % stream.length);
      const left = slice(whole, 1, middle);
      t.is(left.count, middle);
      if (middle === stream.length) return;
      const right = slice(whole, middle + 1, stream.length);
      t.deepEqual([...left.bytes, ...right.bytes], [...whole.bytes]);
      t.is(left.count + right.count, whole.count);
    }),
  );
});

test('whole records are well-formed, and with any other count they are not', (t) => {
  fc.assert(
    fc.property(streams, (stream) => {
      const bytes = bytesOf(stream);
      t.notThrows(() => checkRecords(bytes, stream.length, 4));
      for (const count of [stream.length - 1, stream.length + 1, 0xffff]) {
        t.throws(() => checkRecords(bytes, count, 4), { instanceOf: Malformed });
      }
    }),
  );
});

test('cut off or flipped anywhere, records are well-formed or Malformed, and can then be sliced', (t) => {
  fc.assert(
    fc.property(streams, (stream) => {
      const bytes = bytesOf(stream);
      for (const cut of cutOff(bytes)) {
        t.throws(() => checkRecords(cut, stream.length, 4), { instanceOf: Malformed });
      }
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const flipped = flip(bytes, bit);
        try {
          checkRecords(flipped, stream.length, 4);
        } catch (error) {
          t.true(error instanceof Malformed);
          continue;
        }
        const chunk = { first: 1, count: stream.length, firstMessage: 1, bytes: flipped };
        t.is(slice(chunk, stream.length, stream.length).count, 1);
      }
    }),
    { numRuns: 50 },
  );
});

test('kinds and flags that nobody writes are malformed', (t) => {
  for (let first = 0; first < 256; first++) {
    const isKnown = kindOf(first) <= RecordKind.time && first < 0x40;
    // a time has a number in it, and so has a fragment; the others may be empty
    const isFragment = [0, 1, 2, RecordKind.barrier].includes(kindOf(first)) && (first & moreFlag) !== 0;
    const bytes = isFragment || kindOf(first) === RecordKind.time ? [first, 1, 7] : [first, 0];
    const check = (): void => checkRecords(Uint8Array.from(bytes), 1, 4);
    if (isKnown) t.notThrows(check);
    else t.throws(check, { instanceOf: Malformed });
  }
});

test('pairs are read back as they were written, and ranks outside the view are malformed', (t) => {
  const pair = fc.record({ rank: fc.nat({ max: 1023 }), count: fc.maxSafeNat() }, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 10 }), (pairs) => {
      const w = new Writer();
      writePairs(w, RecordKind.assignment, pairs, new Writer(1));
      const r = new Reader(w.take());
      t.is(r.u8(), RecordKind.assignment);
      const payload = r.raw(r.varint());
      t.is(r.left, 0);
      t.deepEqual(readPairs(payload, 1024), pairs);
      const size = Math.max(0, ...pairs.map(({ rank }) => rank));
      if (pairs.length > 0) t.throws(() => readPairs(payload, size), { instanceOf: Malformed });
    }),
  );
});

test('a time is read back as it was written, and nothing may stand beside it', (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (time) => {
      const w = new Writer();
      writeTime(w, time, new Writer(1));
      t.true(w.length <= timeBytesMax);
      const r = new Reader(w.take());
      t.is(r.u8(), RecordKind.time);
      const payload = r.raw(r.varint());
      t.is(readTime(payload), time);
      t.throws(() => readTime(Uint8Array.of(...payload, 0)), { instanceOf: Malformed });
    }),
  );
  t.throws(() => readTime(new Uint8Array(0)), { instanceOf: Malformed });
});

test('only the last piece of a multicast has a message number', (t) => {
  for (const order of ['fifo', 'causal', 'total', 'barrier'] as const) {
    const kind = kindOfOrder(order);
    t.is(orderOfKind(kind), order);
    t.true(endsMulticast(kind));
    t.true(endsMulticast(kind | uniformFlag));
    t.false(endsMulticast(kind | moreFlag));
  }
  t.false(endsMulticast(RecordKind.assignment));
  t.false(endsMulticast(RecordKind.dependencies));
  t.false(endsMulticast(RecordKind.time));
});

test('the header of a record of 16 MiB is within its stated bound', (t) => {
  const w = new Writer();
  const payload = new Uint8Array(16 * 1024 * 1024);
  writeRecord(w, 2, payload);
  t.true(w.length - payload.length <= recordHeaderBytesMax);
});
