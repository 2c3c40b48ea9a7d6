/** Messages over a link arrive once and in order, though the stream breaks, and a window bounds what is under way. */
import test from 'ava';
import fc from 'fast-check';
import type { Effect } from '../../lib/events.js';
import { type NodeId, nodeId } from '../../lib/ids.js';
import {
  linkDatagramsBytesMax,
  linkReopenDelay,
  linkRepeat,
  linkWindowBytes,
  smallDatagramsFor,
} from '../../lib/limits.js';
import {
  type Link,
  createLink,
  hasRoom,
  linkBroke,
  nextLinkMessage,
  sendOver,
  serveLink,
  takeLinkAck,
} from '../../lib/link.js';
import { type Outbox, createOutbox, finishAll } from '../../lib/outbox.js';
import { Malformed, Reader } from '../../lib/wire/bytes.js';
import { Section, readHeader, readSection } from '../../lib/wire/packet.js';

/** One end of a link with an outbox of its own. */
interface End {
  readonly out: Outbox;
  readonly link: Link;
  readonly got: number[];
}

function createEnd(self: number, peer: NodeId): End {
  return { out: createOutbox(1, self, 1500), link: createLink(peer, `at-${peer}`), got: [] };
}

function createEnds(): [End, End] {
  return [createEnd(1, nodeId('b', 2)), createEnd(2, nodeId('a', 1))];
}

/** The sections of all packets, each as kind and body. */
function sectionsOf(packets: readonly Effect[]): { kind: number; by: string; body: Uint8Array }[] {
  const sections: { kind: number; by: string; body: Uint8Array }[] = [];
  for (const packet of packets) {
    if (!('bytes' in packet)) continue;
    const r = new Reader(packet.bytes);
    readHeader(r);
    while (r.left > 0) {
      const { kind, end } = readSection(r);
      sections.push({ kind, by: packet.kind, body: r.raw(end - r.at) });
    }
  }
  return sections;
}

/** Hands a section to an end; messages are numbers of four bytes. */
function receive(end: End, kind: number, body: Uint8Array, now: number): void {
  const r = new Reader(body);
  if (kind === Section.linkAck) takeLinkAck(end.link, r, now);
  else {
    const message = nextLinkMessage(end.link, r);
    if (message) end.link.received++;
    if (message) end.got.push(new DataView(message.buffer, message.byteOffset).getUint32(0));
  }
}

function numbered(n: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

test('messages arrive once and in order, though the stream breaks, and acknowledgements are lost or doubled', (t) => {
  const move = fc.constantFrom('send', 'send', 'carry', 'carry', 'lose', 'double', 'wait', 'break');
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      const [a, b] = createEnds();
      let [now, sent] = [0, 0];
      const flush = (how: string): void => {
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          serveLink(from.out, from.link, now);
          for (const { kind, body } of sectionsOf(finishAll(from.out))) {
            if (how !== 'lose') receive(to, kind, body, now);
            if (how === 'double') receive(to, kind, body, now);
          }
        }
      };
      for (const kind of moves) {
        if (kind === 'send') sendOver(a.out, a.link, numbered(++sent), now);
        else if (kind === 'wait') now += linkRepeat;
        else if (kind === 'break') linkBroke(a.link, now);
        else flush(kind);
      }
      for (let i = 0; i < 3; i++) {
        now += linkRepeat;
        flush('carry');
      }
      t.deepEqual(
        b.got,
        Array.from({ length: sent }, (_, i) => i + 1),
      );
      t.is(a.link.unacknowledged.length, 0);
      t.is(a.link.bytes, 0);
      t.is(a.link.repeatAt, Infinity, 'nothing is due when all is acknowledged');
    }),
    { numRuns: 300 },
  );
});

test('messages go over the stream, acknowledgements as datagrams, one for a batch', (t) => {
  const [a, b] = createEnds();
  for (let n = 1; n <= 5; n++) sendOver(a.out, a.link, numbered(n), 0);
  const sections = sectionsOf(finishAll(a.out));
  t.deepEqual(new Set(sections.map(({ by }) => by)), new Set(['stream']));
  for (const { kind, body } of sections) receive(b, kind, body, 1);
  serveLink(b.out, b.link, 1);
  const answers = sectionsOf(finishAll(b.out));
  t.deepEqual(
    answers.map(({ kind, by, body }) => [kind, by, [...body]]),
    [[Section.linkAck, 'unicast', [5]]],
  );
  serveLink(b.out, b.link, 2);
  t.is(finishAll(b.out).length, 0, 'what was acknowledged is not acknowledged again');
});

test('a message beyond a gap is not taken, one that was there before is acknowledged again', (t) => {
  const [, b] = createEnds();
  receive(b, Section.link, Uint8Array.of(2, 0, 0, 0, 2), 0);
  t.deepEqual(b.got, []);
  receive(b, Section.link, Uint8Array.of(1, 0, 0, 0, 1), 0);
  serveLink(b.out, b.link, 0);
  finishAll(b.out);
  receive(b, Section.link, Uint8Array.of(1, 0, 0, 0, 1), 0);
  t.deepEqual(b.got, [1]);
  serveLink(b.out, b.link, 0);
  t.deepEqual(
    sectionsOf(finishAll(b.out)).map(({ body }) => [...body]),
    [[1], [1], [1]],
    'once by each way',
  );
});

test('after a break, what is not acknowledged goes again soon, not only after the long delay', (t) => {
  const [a] = createEnds();
  linkBroke(a.link, 0);
  t.is(a.link.repeatAt, Infinity, 'nothing was under way');
  sendOver(a.out, a.link, numbered(1), 0);
  finishAll(a.out);
  linkBroke(a.link, 5);
  t.is(a.link.repeatAt, 5 + linkReopenDelay);
  serveLink(a.out, a.link, 5 + linkReopenDelay - 1);
  t.is(finishAll(a.out).length, 0);
  serveLink(a.out, a.link, 5 + linkReopenDelay);
  t.is(sectionsOf(finishAll(a.out)).length, 1);
});

test('a donor has to wait while more than the window is under way', (t) => {
  const [a] = createEnds();
  t.true(hasRoom(a.link));
  sendOver(a.out, a.link, new Uint8Array(linkWindowBytes), 0);
  t.false(hasRoom(a.link));
  takeLinkAck(a.link, new Reader(Uint8Array.of(1)), 1);
  t.true(hasRoom(a.link));
});

test('old acknowledgements do no harm; those of messages that were never sent, or with more behind them, are malformed', (t) => {
  const [a] = createEnds();
  for (let n = 1; n <= 3; n++) sendOver(a.out, a.link, numbered(n), 0);
  takeLinkAck(a.link, new Reader(Uint8Array.of(2)), 1);
  takeLinkAck(a.link, new Reader(Uint8Array.of(1)), 1);
  t.is(a.link.unacknowledged.length, 1);
  for (const bytes of [Uint8Array.of(4), Uint8Array.of(3, 0)]) {
    t.throws(() => takeLinkAck(a.link, new Reader(bytes), 1), { instanceOf: Malformed });
  }
  t.is(a.link.unacknowledged.length, 1);
  takeLinkAck(a.link, new Reader(Uint8Array.of(3)), 1);
  t.is(a.link.unacknowledged.length, 0);
  t.is(a.link.bytes, 0);
});

test('what comes again is acknowledged by every way, and so is what follows: the way back may carry no datagrams', (t) => {
  const [, b] = createEnds();
  const ways = (): string[] => {
    serveLink(b.out, b.link, 0);
    return sectionsOf(finishAll(b.out)).map(({ by }) => by);
  };
  receive(b, Section.link, Uint8Array.of(1, 0, 0, 0, 1), 0);
  t.deepEqual(ways(), ['unicast']);
  for (const n of [1, 2]) {
    receive(b, Section.link, Uint8Array.of(n, 0, 0, 0, n), 0);
    t.deepEqual(ways(), ['unicast', 'stream', 'multicast']);
  }
});

test('what is not acknowledged goes by the other ways in turn, and by the one that gets through until a stream is tried again', (t) => {
  const [a] = createEnds();
  let now = 0;
  const next = (): string[] => {
    if (now >= a.link.repeatAt || now === 0) serveLink(a.out, a.link, now);
    return [...new Set(sectionsOf(finishAll(a.out)).map(({ by }) => by))];
  };
  const waysInVain: string[] = [];
  sendOver(a.out, a.link, new Uint8Array(3000), now);
  for (let i = 0; i < 7; i++, now = a.link.repeatAt) waysInVain.push(...next());
  t.deepEqual(waysInVain, ['stream', 'stream', 'unicast', 'unicast', 'multicast', 'multicast', 'stream']);
  for (let i = 0; i < 2; i++, now = a.link.repeatAt) next();
  t.is(a.link.way, 'datagram');
  takeLinkAck(a.link, new Reader(Uint8Array.of(1)), now);
  sendOver(a.out, a.link, new Uint8Array(3000), now);
  serveLink(a.out, a.link, now);
  const pieces = sectionsOf(finishAll(a.out));
  t.deepEqual(new Set(pieces.map(({ by, kind }) => `${by} ${kind}`)), new Set([`unicast ${Section.piece}`]));
  takeLinkAck(a.link, new Reader(Uint8Array.of(2)), now);
  now = a.link.streamAt;
  sendOver(a.out, a.link, new Uint8Array(3000), now);
  serveLink(a.out, a.link, now);
  t.deepEqual(
    sectionsOf(finishAll(a.out)).map(({ by }) => by),
    ['stream'],
  );
  takeLinkAck(a.link, new Reader(Uint8Array.of(3)), now);
  t.is(a.link.streamAfter, smallDatagramsFor, 'streams do again');
});

test('a stream that breaks whenever it is opened does not keep a link from the other ways', (t) => {
  const [a] = createEnds();
  sendOver(a.out, a.link, numbered(1), 0);
  for (let now = 0; a.link.way === 'stream'; now += linkReopenDelay) {
    t.true(now < 5000);
    linkBroke(a.link, now);
    serveLink(a.out, a.link, now + linkReopenDelay);
  }
  t.pass();
});

test('of datagrams only so much is under way that no buffer overflows', (t) => {
  const [a] = createEnds();
  a.link.way = 'datagram';
  a.link.streamAt = Infinity;
  for (let i = 0; i < 8; i++) sendOver(a.out, a.link, new Uint8Array(linkDatagramsBytesMax / 4), 0);
  serveLink(a.out, a.link, 0);
  const bytes = (): number => sectionsOf(finishAll(a.out)).reduce((sum, { body }) => sum + body.length, 0);
  const first = bytes();
  t.true(first > linkDatagramsBytesMax / 2 && first < linkDatagramsBytesMax * 1.2, String(first));
  takeLinkAck(a.link, new Reader(Uint8Array.of(4)), 1);
  serveLink(a.out, a.link, 1);
  t.true(bytes() > linkDatagramsBytesMax / 2);
});
