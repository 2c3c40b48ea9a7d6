/** Flush and link messages are read back as they were written; any other bytes are a message or malformed. */
import test from 'ava';
import fc from 'fast-check';
import { type FlushMessage, flushMessage, linkMessage } from '../../../lib/group/messages.js';
import { nodeId } from '../../../lib/ids.js';
import { Malformed, Reader, Writer } from '../../../lib/wire/bytes.js';
import { encodeUtf8 } from '../../../lib/wire/utf8.js';
import { cutOff, flip } from '../packets.js';

const plain = { noNullPrototype: true } as const;
const number = fc.maxSafeNat();
const rank = fc.nat({ max: 1024 });
const seqnos = fc.array(number, { maxLength: 8 });
const install = fc.record(
  {
    target: number,
    base: number,
    cut: seqnos,
    position: number,
    time: number,
    founder: fc.option(rank),
    loud: fc.boolean(),
    transfers: fc.array(fc.record({ joiner: rank, donor: rank, view: number }, plain), { maxLength: 4 }),
  },
  plain,
);
const node = fc.tuple(fc.string({ maxLength: 20 }), number).map(([name, incarnation]) => nodeId(name, incarnation));
const messages: fc.Arbitrary<FlushMessage> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('report' as const),
      target: number,
      installed: number,
      install: fc.option(install),
      row: seqnos,
      hasState: fc.boolean(),
      waitsFor: fc.option(fc.record({ donor: node, view: number }, plain)),
      inVain: fc.boolean(),
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant('cut' as const),
      target: number,
      base: number,
      cut: seqnos,
      holders: fc.array(rank, { maxLength: 8 }),
    },
    plain,
  ),
  fc.record({ kind: fc.constant('have-all' as const), target: number, base: number }, plain),
  fc.record({ kind: fc.constant('install' as const), record: install }, plain),
  fc.record({ kind: fc.constant('finish' as const), target: number, record: install }, plain),
);

function written(message: FlushMessage): Uint8Array {
  const w = new Writer(8);
  flushMessage.write(w, message);
  return w.take();
}

test('every flush message is read back as it was written', (t) => {
  fc.assert(
    fc.property(messages, (message) => {
      const r = new Reader(written(message));
      t.deepEqual(flushMessage.read(r), message);
      t.is(r.left, 0);
    }),
    { numRuns: 300 },
  );
});

test('cut off anywhere it is malformed; with any bit flipped it is a message or malformed', (t) => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = written(message);
      for (const part of cutOff(bytes)) {
        t.throws(() => flushMessage.read(new Reader(part)), { instanceOf: Malformed });
      }
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        try {
          flushMessage.read(new Reader(flip(bytes, bit)));
        } catch (error) {
          t.true(error instanceof Malformed);
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('what goes over a link is read back as it was written, with its payload behind it', (t) => {
  const group = fc.string({ unit: 'grapheme', maxLength: 100 }).filter((name) => encodeUtf8(name).length <= 512);
  fc.assert(
    fc.property(
      group,
      number,
      fc.boolean(),
      fc.boolean(),
      fc.uint8Array({ maxLength: 20 }),
      (name, view, a, b, payload) => {
        for (const message of [
          { kind: 'state', group: name, view, first: a, last: b },
          { kind: 'direct', group: name, from: view, to: view },
          { kind: 'taken', group: name, view, chunks: view },
        ] as const) {
          const w = new Writer();
          linkMessage.write(w, message);
          w.raw(payload);
          const r = new Reader(w.take());
          t.deepEqual(linkMessage.read(r), message);
          t.deepEqual([...r.raw(r.left)], [...payload]);
        }
      },
    ),
    { numRuns: 100 },
  );
});
