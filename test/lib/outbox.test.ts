/** What is added to an outbox leaves it whole and in order, in as few packets as the limit allows. */
import test from 'ava';
import fc from 'fast-check';
import type { Effect } from '../../lib/events.js';
import { addSection, createOutbox, finishAll, overStream, sectionBytesMax, toNode } from '../../lib/outbox.js';
import { Reader } from '../../lib/wire/bytes.js';
import { readHeader, readSection } from '../../lib/wire/packet.js';

const limit = 1500;
type Target = 'all' | 'node' | 'other' | 'stream';

function packerOf(out: ReturnType<typeof createOutbox>, to: Target): ReturnType<typeof toNode> {
  if (to === 'all') return out.all;
  return to === 'stream' ? overStream(out, 7, 'x') : toNode(out, to === 'node' ? 7 : 8, to === 'node' ? 'x' : 'y');
}

/** Where a packet goes, in the words of this test. */
function targetOf(packet: Effect): Target {
  if (packet.kind === 'stream') return 'stream';
  return packet.kind === 'unicast' ? (packet.to === 'x' ? 'node' : 'other') : 'all';
}

const parts = fc.array(
  fc.record({
    to: fc.constantFrom<Target>('all', 'node', 'other', 'stream'),
    kind: fc.nat({ max: 7 }),
    bytes: fc.uint8Array({ maxLength: 700 }),
  }),
  { maxLength: 40 },
);

test('whatever is added comes out whole, in order for each destination, in packets within the limit', (t) => {
  fc.assert(
    fc.property(parts, (list) => {
      const out = createOutbox(0xfffffffe, Number.MAX_SAFE_INTEGER, limit);
      out.founding = 0xffffffff;
      out.number = Number.MAX_SAFE_INTEGER;
      for (const { to, kind, bytes } of list) addSection(out, packerOf(out, to), kind, bytes);
      const found = new Map<Target, (number | number[])[][]>();
      const packets = finishAll(out);
      for (const packet of packets) {
        if (!('bytes' in packet)) return t.fail('no packet');
        if (packet.kind !== 'stream') t.true(packet.bytes.length <= limit);
        const r = new Reader(packet.bytes);
        const header = readHeader(r);
        const to = targetOf(packet);
        t.is(header.destination, to === 'all' ? 0 : to === 'other' ? 8 : 7);
        t.deepEqual([header.domain, header.founding, header.number], [0xfffffffe, 0xffffffff, Number.MAX_SAFE_INTEGER]);
        while (r.left > 0) {
          const { kind, end } = readSection(r);
          const known = found.get(to) ?? [];
          known.push([kind, [...r.raw(end - r.at)]]);
          found.set(to, known);
        }
      }
      for (const to of ['all', 'node', 'other', 'stream'] as const) {
        const expected = list.filter((each) => each.to === to).map(({ kind, bytes }) => [kind, [...bytes]]);
        t.deepEqual(found.get(to) ?? [], expected, to);
      }
      t.deepEqual(finishAll(out), [], 'nothing comes out twice');
      return;
    }),
    { numRuns: 150 },
  );
});

test('what is ready for one destination shares packets', (t) => {
  const out = createOutbox(1, 2, limit);
  for (let i = 0; i < 20; i++) addSection(out, out.all, 1, new Uint8Array(20));
  t.is(finishAll(out).length, 1);
  t.true(out.multicastSent);
});

test('the largest section has a packet of its own, just within the limit', (t) => {
  const out = createOutbox(0xffffffff, Number.MAX_SAFE_INTEGER, limit);
  out.number = Number.MAX_SAFE_INTEGER;
  addSection(out, out.all, 1, new Uint8Array(10));
  addSection(out, out.all, 1, new Uint8Array(sectionBytesMax(out)));
  addSection(out, out.all, 1, new Uint8Array(10));
  const sizes = finishAll(out).map((packet) => ('bytes' in packet ? packet.bytes.length : 0));
  t.is(sizes.length, 3);
  t.true(sizes.every((size) => size <= limit));
});

test('a packet that went out is not written to again: what is kept for retransmission aliases it', (t) => {
  const out = createOutbox(1, 2, limit);
  addSection(out, out.all, 1, Uint8Array.of(1, 2, 3));
  const [first] = finishAll(out);
  const before = first && 'bytes' in first ? [...first.bytes] : [];
  for (let i = 0; i < 100; i++) addSection(out, out.all, 2, new Uint8Array(100).fill(0xee));
  finishAll(out);
  t.deepEqual(first && 'bytes' in first ? [...first.bytes] : [], before);
});
