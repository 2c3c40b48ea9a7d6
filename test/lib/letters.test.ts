/** Letters: once, in order, whole, and only after all that their writer had sent and delivered before. */
import test from 'ava';
import fc from 'fast-check';
import type { Effect } from '../../lib/events.js';
import { type Context, type LinkMessage, linkContext, linkMessage } from '../../lib/group/messages.js';
import { nodeId } from '../../lib/ids.js';
import { linkRepeat } from '../../lib/limits.js';
import { Malformed, Reader, Writer } from '../../lib/wire/bytes.js';
import { Section } from '../../lib/wire/packet.js';
import {
  type Network,
  type Packet,
  act,
  actorOf,
  at,
  breakStream,
  createNetwork,
  grouped,
  inject,
  isQuiet,
  join,
  multicast,
  multicastEvent,
  release,
  run,
  runUntil,
  start,
  texts,
} from './network.js';
import { body, cutOff, flip, headerOf, packet } from './packets.js';

function write(net: Network, from: string, to: string, content: string | Uint8Array): void {
  const payload = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  act(net, at(net, from), { kind: 'remote', to: at(net, to).node.self, payload });
}

function payloads(net: Network, name: string): Uint8Array[] {
  return at(net, name)
    .told.filter((effect): effect is Effect & { kind: 'remote' } => effect.kind === 'remote')
    .map(({ payload }) => payload);
}

function read(net: Network, name: string): string[] {
  return payloads(net, name).map((payload) => new TextDecoder().decode(payload));
}

/** Members of g, and one node that is no member. */
function withStranger(names: readonly string[]): Network {
  const net = grouped(names);
  start(net, 'q');
  runUntil(
    net,
    () => [...net.members.values()].every(({ node }) => node.domain?.nodes.length === names.length + 1),
    'q',
  );
  return net;
}

test('what p tells q and q tells r follows what p had multicast, though q is no member', (t) => {
  const net = withStranger(['p', 'r']);
  net.rule = ({ holds, to }) =>
    to === 'at-r' && (holds.includes('data') || holds.includes('fetched')) ? 'hold' : 'pass';
  multicast(net, 'p', 'm');
  write(net, 'p', 'q', 'one');
  runUntil(net, () => read(net, 'q').length === 1, 'q is no member: it waits for nothing');
  write(net, 'q', 'r', 'two');
  run(net, 200);
  t.deepEqual(read(net, 'r'), []);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => read(net, 'r').length === 1, 'r has the letter');
  t.deepEqual(texts(actorOf(at(net, 'r'))), ['m']);
});

test('once the group has a new view, what is passed on waits for that', (t) => {
  const net = withStranger(['p', 'r', 'x']);
  multicast(net, 'p', 'm');
  write(net, 'p', 'q', 'one');
  runUntil(net, () => read(net, 'q').length === 1, 'q has the letter');
  net.rule = ({ holds, to }) => (to === 'at-r' && holds.includes('install') ? 'hold' : 'pass');
  const before = at(net, 'r').node.groups.get('g')?.current?.view.id ?? 0;
  act(net, at(net, 'x'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => (at(net, 'q').node.domain?.groups.get('g')?.view ?? 0) > before, 'q knows of the view');
  write(net, 'q', 'r', 'two');
  run(net, 100);
  t.deepEqual(read(net, 'r'), []);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => read(net, 'r').length === 1, 'r has the letter');
  t.true((at(net, 'r').node.groups.get('g')?.current?.view.id ?? 0) > before);
});

test('who had told of a view before it was in it tells of what it multicasts there', (t) => {
  const net = withStranger(['p', 'r']);
  write(net, 'p', 'q', 'there is a group');
  runUntil(net, () => read(net, 'q').length === 1, 'q knows of the group');
  net.rule = ({ holds, to }) => (to === 'at-q' && holds.includes('install') ? 'hold' : 'pass');
  join(net, 'q');
  runUntil(net, () => at(net, 'r').node.groups.get('g')?.current?.view.members.length === 3, 'r has the view');
  write(net, 'q', 'r', 'one');
  runUntil(net, () => read(net, 'r').length === 1, 'r has the letter');
  t.is(at(net, 'q').node.groups.get('g')?.current, null);
  net.rule = ({ by, to }) => (to === 'at-r' && by !== 'stream' ? 'hold' : 'pass');
  release(net);
  runUntil(net, () => actorOf(at(net, 'q')).status === 'active', 'q is in');
  multicast(net, 'q', 'm', { order: 'causal' });
  write(net, 'q', 'r', 'two');
  run(net, 20);
  t.deepEqual(read(net, 'r'), ['one']);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => read(net, 'r').length === 2, 'r has the other letter');
  t.deepEqual(texts(actorOf(at(net, 'r'))), ['m']);
});

test('a letter waits for the multicasts of its writer that wait to be sent', (t) => {
  const net = withStranger(['r', 'p', 'x']);
  net.rule = ({ holds, to }) => (to === 'at-p' && holds.includes('install') ? 'hold' : 'pass');
  act(net, at(net, 'x'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => at(net, 'p').node.groups.get('g')?.wedged === true, 'p is wedged');
  act(net, at(net, 'p'), multicastEvent(at(net, 'p'), 'm'));
  write(net, 'p', 'r', 'one');
  write(net, 'p', 'q', 'two');
  run(net, 100);
  t.deepEqual([...read(net, 'r'), ...read(net, 'q')], []);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => read(net, 'r').length === 1, 'r has the letter');
  t.deepEqual(texts(actorOf(at(net, 'r'))), ['m']);
  runUntil(net, () => read(net, 'q').length === 1, 'q has its letter');
});

test('a letter that is larger than a piece comes whole, between others, though the stream breaks', (t) => {
  const net = withStranger(['p']);
  const large = Uint8Array.from({ length: 3_000_001 }, (_, i) => i % 251);
  write(net, 'p', 'q', 'before');
  write(net, 'p', 'q', large);
  write(net, 'p', 'q', 'after');
  breakStream(net, 'p', 'q');
  run(net, 3);
  breakStream(net, 'p', 'q');
  runUntil(net, () => payloads(net, 'q').length === 3, 'all three are there', 10 * linkRepeat);
  const [before, whole, after] = payloads(net, 'q');
  t.is(new TextDecoder().decode(before), 'before');
  t.deepEqual(whole, large);
  t.is(new TextDecoder().decode(after), 'after');
});

test('one that is larger than the reader takes is dropped, and the next ones come', (t) => {
  const options = { messageBytesMax: 4_000_000 };
  const net = createNetwork();
  Object.assign(net.options, options);
  start(net, 'p');
  runUntil(net, () => at(net, 'p').node.domain !== null, 'p founds a domain');
  Object.assign(net.options, { messageBytesMax: 500_000 });
  start(net, 'q');
  runUntil(net, () => at(net, 'p').node.domain?.nodes.length === 2, 'both are in');
  write(net, 'p', 'q', 'before');
  write(net, 'p', 'q', new Uint8Array(2_000_000));
  write(net, 'p', 'q', 'after');
  runUntil(net, () => read(net, 'q').length === 2, 'two are there', 3 * linkRepeat);
  t.deepEqual(read(net, 'q'), ['before', 'after']);
  t.is(at(net, 'q').node.links.get(at(net, 'p').node.self)?.letters.earlyBytes, 0);
});

test('what a leaver said last is handed out, though it has left when that may be', (t) => {
  const net = grouped(['a', 'r', 'p']);
  net.rule = ({ holds, to }) => (to === 'at-r' && holds.includes('install') ? 'hold' : 'pass');
  act(net, at(net, 'p'), { kind: 'leave-group', group: 'g' });
  runUntil(net, () => !at(net, 'p').node.groups.has('g'), 'p has left the group');
  write(net, 'p', 'r', 'farewell');
  act(net, at(net, 'p'), { kind: 'leave-domain' });
  runUntil(net, () => at(net, 'r').node.domain?.nodes.length === 2, 'p has left the domain');
  t.deepEqual(read(net, 'r'), []);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => read(net, 'r').length === 1, 'r has the letter');
  t.is(at(net, 'r').node.writing.size, 0);
});

test('who is excluded says no more: its letters may follow multicasts that are lost', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const isForC = ({ from, to }: Packet): boolean => from === 'at-c' || to === 'at-c';
  const tellsB = ({ to, holds }: Packet): boolean =>
    to === 'at-b' && holds.some((kind) => ['decided', 'decrees'].includes(kind));
  net.rule = (sent) => (isForC(sent) ? 'drop' : 'pass');
  // what is multicast behind a barrier waits for the next view, and the letter with it
  act(net, at(net, 'c'), multicastEvent(at(net, 'c'), 'barrier', { order: 'barrier' }));
  act(net, at(net, 'c'), multicastEvent(at(net, 'c'), 'later'));
  write(net, 'c', 'b', 'held');
  net.rule = (sent) => (isForC(sent) ? 'drop' : tellsB(sent) ? 'hold' : 'pass');
  runUntil(net, () => at(net, 'a').node.domain?.nodes.length === 2, 'a knows that c is out');
  net.rule = (sent) => (tellsB(sent) ? 'hold' : 'pass');
  runUntil(net, () => actorOf(at(net, 'c')).status === 'excluded', 'c is told');
  write(net, 'c', 'b', 'after all');
  run(net, 20);
  t.is(at(net, 'b').node.domain?.nodes.length, 3, 'b does not know of it');
  t.deepEqual(read(net, 'b'), []);
});

test('of groups that are gone a link remembers nothing', (t) => {
  const net = withStranger(['p']);
  for (const group of ['h1', 'h2', 'h3', 'h4']) {
    join(net, 'p', group);
    runUntil(net, () => actorOf(at(net, 'p'), group).status === 'active', `p founds ${group}`);
    write(net, 'p', 'q', group);
    runUntil(net, () => read(net, 'q').at(-1) === group, 'q has the letter');
    act(net, at(net, 'p'), { kind: 'leave-group', group });
    runUntil(net, () => !at(net, 'p').node.groups.has(group), `p leaves ${group}`);
  }
  runUntil(net, () => isQuiet(net) && at(net, 'q').node.domain?.groups.size === 1, 'all is quiet');
  const told = at(net, 'p').node.links.get(at(net, 'q').node.self)?.letters.told.size ?? 0;
  t.true(told <= 2, `${told}`);
  t.is(at(net, 'q').node.pasts.size, 1);
});

// What comes over the wire ------------------------------------------------------------------------------------------

const plainRecord = { noNullPrototype: true } as const;
const number = fc.maxSafeNat();
const name = fc.string({ maxLength: 10 });
const node = fc.tuple(name, number).map(([of, incarnation]) => nodeId(of, incarnation));
const bytes = fc.uint8Array({ maxLength: 20 });
const contexts: fc.Arbitrary<Context> = fc.record(
  {
    state: fc.oneof(number, fc.constant(0)),
    groups: fc.array(
      fc.record(
        {
          group: number,
          view: number,
          entries: fc.array(fc.record({ rank: fc.nat({ max: 1024 }), seqno: number }, plainRecord), { maxLength: 3 }),
        },
        plainRecord,
      ),
      { maxLength: 3 },
    ),
  },
  plainRecord,
);
const group = fc.oneof(name, fc.constant('g'));
const messages: fc.Arbitrary<LinkMessage> = fc.oneof(
  ...[
    { kind: fc.constant('state'), group, view: number, first: fc.boolean(), last: fc.boolean() },
    {
      kind: fc.constant('served'),
      group,
      view: number,
      pieces: fc.array(
        fc.record(
          {
            client: node,
            floor: number,
            requests: fc.array(fc.record({ number, reply: fc.option(bytes) }, plainRecord), { maxLength: 3 }),
          },
          plainRecord,
        ),
        { maxLength: 3 },
      ),
    },
    { kind: fc.constant('direct'), group, from: number, to: number },
    { kind: fc.constant('piece') },
    { kind: fc.constant('request'), group, number, previous: number, lowest: number, wantsReply: fc.boolean() },
    { kind: fc.constant('refused'), number, why: name, again: fc.boolean() },
    {
      kind: fc.constant('shown'),
      number,
      members: fc.array(fc.record({ node, joined: number }, plainRecord), { maxLength: 3 }),
    },
    { kind: fc.constant('reply'), number, silent: fc.option(name) },
    { kind: fc.constant('remote') },
  ].map(
    (fields) => fc.record(fields as Record<string, fc.Arbitrary<unknown>>, plainRecord) as fc.Arbitrary<LinkMessage>,
  ),
);

function written(context: Context, message: LinkMessage): Uint8Array {
  const w = new Writer(64);
  linkContext.write(w, context);
  linkMessage.write(w, message);
  return w.take();
}

function readBack(from: Uint8Array): { context: Context; message: LinkMessage } | null {
  const r = new Reader(from);
  try {
    return { context: linkContext.read(r), message: linkMessage.read(r) };
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

test('every letter is read back as it was written; cut off or with a bit flipped it is another or malformed', (t) => {
  fc.assert(
    fc.property(contexts, messages, (context, message) => {
      const whole = written(context, message);
      t.deepEqual(readBack(whole), { context, message });
      for (const part of cutOff(whole)) t.is(readBack(part), null);
      for (let bit = 0; bit < whole.length * 8; bit++) readBack(flip(whole, bit));
    }),
    { numRuns: 100 },
  );
});

test('whatever a node says over a link, its reader goes on', (t) => {
  const net = withStranger(['p', 'r']);
  const reader = at(net, 'r');
  const writer = at(net, 'q');
  const link = (): number => reader.node.links.get(writer.node.self)?.received ?? 0;
  fc.assert(
    fc.property(contexts, messages, bytes, fc.boolean(), (context, message, payload, isFlipped) => {
      const said = body(link() + 1, written(context, message), payload);
      const bad = isFlipped ? flip(said, said.length * 4) : said;
      inject(net, reader, packet(headerOf(writer), [{ kind: Section.link, body: bad }]), 'at-q');
    }),
    { numRuns: 300 },
  );
  t.true(link() > 50);
  multicast(net, 'p', 'm');
  runUntil(net, () => texts(actorOf(reader)).includes('m'), 'm is delivered');
});
