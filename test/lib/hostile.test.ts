/**
 * What a peer can make grow stops growing: each limit of `lib/limits.ts` that bounds what others say is
 * reached here, by a node that says what no honest one would, and what is behind it goes on.
 */
import test from 'ava';
import { createArena } from '../../lib/arena.js';
import type { Deliveries } from '../../lib/events.js';
import type { LinkMessage } from '../../lib/group/messages.js';
import { linkContext, linkMessage } from '../../lib/group/messages.js';
import { forgetServed, serve, takeReply, takeServed } from '../../lib/group/serving.js';
import { createStream, takeIn } from '../../lib/group/stream.js';
import { nodeId } from '../../lib/ids.js';
import { gauge } from '../../lib/inspect.js';
import {
  aheadBytesMax,
  earlyBytesMax,
  earlyOverheadBytes,
  fragmentsBytesMax,
  frameOverheadBytes,
  futureBytesMax,
  heldBytesMax,
  letterOverheadBytes,
  lettersEarlyBytesMax,
  nakAnswerBytesMax,
  pieceBytesMax,
  pieceOverheadBytes,
  piecesBytesMax,
  repliesBytesMax,
  requestsMax,
  resendWindow,
  sectionInPiecesBytesMax,
} from '../../lib/limits.js';
import { defaults } from '../../lib/options.js';
import { Writer } from '../../lib/wire/bytes.js';
import { Section as Kind, sectionHeaderBytes } from '../../lib/wire/packet.js';
import { RecordKind, moreFlag, requestFlag } from '../../lib/wire/record.js';
import {
  type Member,
  type Network,
  actorOf,
  at,
  createNetwork,
  crash,
  grouped,
  inject,
  isQuiet,
  join,
  multicast,
  run,
  runUntil,
  start,
  texts,
} from './network.js';
import { body, headerOf, packet } from './packets.js';

const mebibyte = 1024 * 1024;
/** What is kept as a part of a larger array is at least a quarter of it. */
const pinned = 4;

/** Bytes of the arrays that these are parts of, each counted once. */
function memoryOf(parts: Iterable<Uint8Array>): number {
  const buffers = new Set<ArrayBufferLike>();
  for (const { buffer } of parts) buffers.add(buffer);
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** A small part of a large array, as a section is of a datagram. */
function within(bytes: readonly number[]): Uint8Array {
  const datagram = new Uint8Array(60_000);
  datagram.set(bytes, 100);
  return datagram.subarray(100, 100 + bytes.length);
}

test('behind a gap: records of no bytes in large frames take no more memory than is counted', (t) => {
  const stream = createStream(createArena(1024));
  for (let i = 0; i < 9000; i++) {
    takeIn(stream, { first: 4 + 2 * i, count: 1, firstMessage: 4 + 2 * i, bytes: within([0, 0]) });
  }
  t.true(stream.aheadBytes <= aheadBytesMax);
  t.true(stream.ahead.length <= aheadBytesMax / frameOverheadBytes, `${stream.ahead.length} pieces`);
  t.true(memoryOf(stream.ahead.map(({ bytes }) => bytes)) <= pinned * aheadBytesMax);
});

/** Group and view of `g`, and what a member has received of the stream of this rank. */
function place(member: Member, rank: number): { id: number; view: number; received: number } {
  const group = member.node.groups.get('g');
  const { current } = group ?? {};
  if (!group || !current) throw new Error('no view');
  return { id: group.id, view: current.view.id, received: current.streams[rank]?.received ?? 0 };
}

/** Says in the name of a member of this rank what its stream goes on with: so many records that are all the same. */
function say(net: Network, to: Member, as: Member, rank: number, count: number, record: ArrayLike<number>): void {
  const { id, view, received } = place(to, rank);
  const records = new Uint8Array(count * record.length);
  for (let i = 0; i < count; i++) records.set(record, i * record.length);
  const head = Uint8Array.of(0, 0, count & 0xff, count >> 8);
  const frame = body(id, view, 0, rank, received + 1, 1000, head, records);
  inject(net, to, packet(headerOf(as), [{ kind: Kind.data, body: frame }]), as.address);
}

test('fragments of a multicast that never ends are bounded; when it ends it is nothing, at all members alike', (t) => {
  const net = grouped(['a', 'b', 'c']);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => at(net, name)) as [Member, Member, Member];
  crash(net, 'a');
  // each claims that more is left than anybody has room for
  const claim = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  const bytes = 60_000;
  const length = claim.length + bytes;
  const size = [(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
  const fragment = Uint8Array.of(RecordKind.total | moreFlag, ...size, ...claim, ...new Uint8Array(bytes));
  for (const victim of [b, c]) {
    const stream = victim.node.groups.get('g')?.current?.streams[0];
    say(net, victim, a, 0, 1, fragment);
    t.is(stream?.partial?.bytes.length, defaults.messageBytesMax, 'a claim finds room for what is usual');
    for (let i = 0; i * bytes <= fragmentsBytesMax; i++) say(net, victim, a, 0, 1, fragment);
    t.is(stream?.received, place(victim, 0).received);
    t.is(stream?.partial?.bytes.length, 0, 'what is too large is not kept');
    // as a request, too: the one has no head, nor has the other
    say(net, victim, a, 0, 1, [RecordKind.total | requestFlag, 1, 65]);
    t.is(stream?.partial, null);
    say(net, victim, a, 0, 1, [RecordKind.total | requestFlag, 1, 66]);
    t.is(victim.node.dropped.malformed, 0);
  }
  runUntil(net, () => isQuiet(net), 'a view without a');
  for (const { name } of [b, c]) multicast(net, name, `of ${name}`);
  runUntil(net, () => isQuiet(net), 'all is stable');
  t.deepEqual(texts(actorOf(b)).slice(0, 2), ['', 'B']);
  t.deepEqual(texts(actorOf(b)), texts(actorOf(c)));
  t.is(texts(actorOf(c)).length, 4);
});

test('frames for a view to come, in large datagrams, take no more memory than is counted', (t) => {
  const net = grouped(['a', 'b']);
  const victim = at(net, 'b');
  const { id, view } = place(victim, 0);
  const frame = body(id, view + 1, 0, 0, 1, 1, Uint8Array.of(0, 0, 0, 0));
  const padding = { kind: Kind.linkAck, body: new Uint8Array(60_000) };
  for (let i = 0; i < 500; i++) {
    inject(net, victim, packet(headerOf(at(net, 'a')), [{ kind: Kind.data, body: frame }, padding]));
  }
  const future = victim.node.groups.get('g')?.future ?? [];
  t.is(future.length, 500);
  t.true(memoryOf(future.map((each) => each.body)) <= pinned * futureBytesMax);
});

/** A piece of a section that was announced to be so long. */
function piece(digest: number, length: number, offset: number, bytes: Uint8Array): Uint8Array {
  const name = new Uint8Array(8);
  new DataView(name.buffer).setUint32(0, digest);
  return body(name, Uint8Array.of(Kind.control), length, offset, bytes);
}

test('pieces take memory as they come, not as they are announced; single bytes count more than they are', (t) => {
  const net = grouped(['a', 'b']);
  const { node } = at(net, 'b');
  const header = { ...headerOf(at(net, 'a')), source: 999_999 };
  const send = (...bodies: Uint8Array[]) =>
    inject(
      net,
      at(net, 'b'),
      packet(
        header,
        bodies.map((each) => ({ kind: Kind.piece, body: each })),
      ),
    );
  const memory = () => memoryOf([...node.pieces.partial.values()].flatMap(({ pieces }) => [...pieces.values()]));
  for (let i = 0; i < 2000; i++) send(piece(i, sectionInPiecesBytesMax, 0, Uint8Array.of(1)));
  t.true(node.pieces.bytes <= 2000 * (pieceOverheadBytes + 1));
  t.true(memory() < mebibyte, `${memory()}`);
  for (let at = 0; at < 3 * (piecesBytesMax / pieceOverheadBytes); at += 3000) {
    const one = Array.from({ length: 3000 }, (_, i) =>
      piece(1 + Math.floor(at / mebibyte), mebibyte, (at + i) % mebibyte, Uint8Array.of(1)),
    );
    send(...one);
    t.true(node.pieces.bytes <= piecesBytesMax);
  }
  const count = [...node.pieces.partial.values()].reduce((sum, { pieces }) => sum + pieces.size, 0);
  t.true(count <= piecesBytesMax / pieceOverheadBytes, `${count} pieces`);
});

function written(message: LinkMessage, groups: readonly number[] = []): Uint8Array {
  const w = new Writer(64);
  linkContext.write(w, { state: 0, groups: groups.map((group) => ({ group, view: 1, entries: [] })) });
  linkMessage.write(w, message);
  return w.take();
}

/** What `p` says to `q` over their link, and what of it was taken in. */
function linked(net: Network): (message: Uint8Array, payload?: Uint8Array) => boolean {
  const [writer, reader] = [at(net, 'p'), at(net, 'q')];
  const received = () => reader.node.links.get(writer.node.self)?.received ?? 0;
  const padding = { kind: Kind.linkAck, body: new Uint8Array(50_000) };
  return (message, payload = new Uint8Array(0)) => {
    const before = received();
    const said = { kind: Kind.link, body: body(before + 1, message, payload) };
    inject(net, reader, packet(headerOf(writer), payload.length === 0 ? [said] : [said, padding]), writer.address);
    return received() > before;
  };
}

function pair(): Network {
  const net = grouped(['p']);
  start(net, 'q');
  runUntil(net, () => at(net, 'q').node.domain?.nodes.length === 2, 'q is in the domain');
  return net;
}

test('pieces of a letter that never ends are bounded, empty ones too', (t) => {
  const net = pair();
  const tell = linked(net);
  const letters = () => at(net, 'q').node.links.get(at(net, 'p').node.self)?.letters;
  const { messageBytesMax } = at(net, 'q').node.options;
  const empty = written({ kind: 'piece' });
  const count = Math.ceil(messageBytesMax / letterOverheadBytes) + 100;
  for (let i = 0; i < count; i++) tell(empty);
  t.true((letters()?.pieces.length ?? Infinity) <= messageBytesMax * (1 / letterOverheadBytes + 1 / pieceBytesMax));
  t.true(tell(written({ kind: 'remote' })));
  t.is(letters()?.pieces.length, 0);
  t.true(tell(written({ kind: 'remote' }), Uint8Array.of(7)), 'the next comes');
  t.deepEqual(
    at(net, 'q').told.flatMap((effect) => (effect.kind === 'remote' ? [...effect.payload] : [])),
    [7],
  );
});

test('letters that wait for what never comes are bounded, in memory too; what is above is not acknowledged', (t) => {
  const net = pair();
  const tell = linked(net);
  const w = new Writer(64);
  linkContext.write(w, { state: 1_000_000, groups: [] });
  linkMessage.write(w, { kind: 'remote' });
  const waits = w.take();
  let taken = 0;
  for (let i = 0; i < 500; i++) if (tell(waits, Uint8Array.of(1))) taken++;
  const { early } = at(net, 'q').node.links.get(at(net, 'p').node.self)?.letters ?? {};
  t.is(taken, 500);
  t.true(memoryOf([...(early ?? [])].map(({ payload }) => payload)) < mebibyte);
  while (tell(waits, new Uint8Array(500_000))) taken++;
  t.true(taken > 500 && taken < 500 + lettersEarlyBytesMax / 500_000 + 1, `${taken}`);
});

test('what is told of groups that there are not is not remembered', (t) => {
  const net = pair();
  const tell = linked(net);
  for (let i = 0; i < 100; i++) {
    const groups = Array.from({ length: 1000 }, (_, j) => 1_000_000 + 1000 * i + j);
    t.true(tell(written({ kind: 'remote' }, groups)));
  }
  const { node } = at(net, 'q');
  t.true(node.pasts.size <= (node.domain?.groups.size ?? 0), `${node.pasts.size}`);
});

test('state for a view that is not installed is bounded; what is above is not acknowledged', (t) => {
  const net = grouped(['p', 'q']);
  const tell = linked(net);
  const chunk = written({ kind: 'state', group: 'g', view: 1_000_000, first: true, last: false });
  let taken = 0;
  while (tell(chunk, new Uint8Array(500_000))) taken++;
  t.true(taken >= 1 && taken <= earlyBytesMax / 500_000 + 1, `${taken}`);
  const group = at(net, 'q').node.groups.get('g');
  t.true((group?.earlyBytes ?? Infinity) <= earlyBytesMax + 500_000 + earlyOverheadBytes);
});

test('a client that never says what it waits for is remembered for so many requests, not for all', (t) => {
  const net = grouped(['a', 'b']);
  const { node } = at(net, 'a');
  const group = node.groups.get('g');
  if (!group?.current) throw new Error('no group');
  const client = nodeId('client', 7);
  const { info } = group.current;
  for (let number = 1; number <= requestsMax + 5000; number++) {
    const request = { client, number, lowest: 1, wantsReply: false, isVoid: false, repeated: false };
    serve(node.host, group, { request, fromRank: 1, view: info } as unknown as Deliveries);
    t.false(request.repeated);
  }
  t.is(group.served.get(client)?.requests.size, requestsMax);
  t.is(group.served.get(client)?.floor, 5001);
});

test('replies are kept for clients up to a limit, those that a joiner is given too; later ones are only sent', (t) => {
  const net = grouped(['a', 'b']);
  const { node } = at(net, 'a');
  const group = node.groups.get('g');
  if (!group?.current) throw new Error('no group');
  const client = nodeId('client', 7);
  const { info } = group.current;
  // the same memory each time
  const reply = new Uint8Array(mebibyte);
  const fitting = repliesBytesMax / mebibyte;
  const known = (number: number) => group.served.get(client)?.requests.get(number);
  for (let number = 1; number <= fitting + 10; number++) {
    const request = { client, number, lowest: number <= fitting + 5 ? 1 : 3, wantsReply: false, isVoid: false };
    serve(node.host, group, { request, fromRank: 1, view: info } as unknown as Deliveries);
    takeReply(node.host, group, { client, number }, reply);
    t.true(group.repliesBytes <= repliesBytesMax);
  }
  t.is(known(fitting), reply);
  t.is(known(fitting + 1), 'unknown');
  t.is(known(2), undefined, 'the client waits for it no more');
  t.is(known(fitting + 6), reply, 'so there is room for others');
  t.is(known(fitting + 8), 'unknown');
  forgetServed(group);
  const requests = Array.from({ length: fitting + 10 }, (_, number) => ({ number, reply }));
  takeServed(group, [{ client, floor: 0, requests }]);
  t.is(group.repliesBytes, repliesBytesMax);
  t.is(known(fitting), 'unknown');
});

test('a joiner that waits for its state holds so much of what is delivered meanwhile; then its senders wait', (t) => {
  const net = grouped(['a', 'b']);
  const [a] = [at(net, 'a')];
  start(net, 'j');
  // no state comes
  net.rule = ({ to, by, holds }) => (to === 'at-j' && (by === 'stream' || holds.includes('link')) ? 'drop' : 'pass');
  join(net, 'j');
  const found = () => at(net, 'j').node.groups.get('g')?.replica;
  runUntil(net, () => found()?.kind === 'transferring', 'the joiner waits for its state');
  const replica = () => {
    const known = found();
    if (known?.kind !== 'transferring') throw new Error('it has its state');
    return known;
  };
  multicast(net, 'a', new Uint8Array(3000));
  multicast(net, 'b', new Uint8Array(5000));
  runUntil(net, () => replica().heldBytes === 8000, 'the joiner holds both');
  const accepted = () => actorOf(a).accepted;
  const isPaused = () => a.node.groups.get('g')?.current?.paused[2] === 1;
  t.false(isPaused());
  // a limit's worth would take seconds to send here
  replica().heldBytes += heldBytesMax;
  multicast(net, 'a', 'one more');
  runUntil(net, isPaused, 'the senders hear of it');
  const before = accepted();
  for (let i = 0; i < 5; i++) multicast(net, 'a', 'later');
  run(net, 300);
  t.is(accepted(), before);
  t.is(replica().held.filter(({ kind }) => kind === 'deliveries').length, 3);
  replica().heldBytes -= heldBytesMax;
  net.rule = () => 'pass';
  runUntil(net, () => isQuiet(net), 'the state has come, and what was held');
  t.is(texts(actorOf(at(net, 'j'))).length, 8);
  t.deepEqual(actorOf(at(net, 'j')).state, actorOf(a).state);
});

test('requests for what is missing have so much of it sent again, however many they are', (t) => {
  const net = grouped(['a', 'b', 'c'], { windowBytes: 4 * mebibyte, timeout: 10_000, timeoutMax: 10_000 });
  let bytes = 0;
  net.rule = (sent) => {
    if (sent.from === 'at-a' && sent.to === 'at-b') bytes += sent.bytes.length;
    return sent.from === 'at-a' ? 'drop' : 'pass';
  };
  for (let i = 0; i < 150; i++) multicast(net, 'a', new Uint8Array(20_000), { order: 'fifo' });
  run(net, 20);
  const { id, view } = place(at(net, 'b'), 0);
  const ask = { kind: Kind.nak, body: body(id, view, 0, Uint8Array.of(0), 0, 1, 1, 1_000_000) };
  const windows = 4;
  for (let i = 0; i < windows; i++) {
    bytes = 0;
    for (let j = 0; j < 100; j++) inject(net, at(net, 'a'), packet(headerOf(at(net, 'b')), [ask]), 'at-b');
    t.true(bytes > 100_000, `${bytes} bytes are sent again`);
    t.true(bytes < 2 * nakAnswerBytesMax, `${bytes} bytes for 100 requests of ${ask.body.length + sectionHeaderBytes}`);
    run(net, resendWindow + 1);
  }
});

test('a node that hears of thousands remembers some', (t) => {
  const net = createNetwork();
  start(net, 'a');
  runUntil(net, () => at(net, 'a').node.domain !== null, 'a founds its domain');
  const { node } = at(net, 'a');
  for (let i = 1; i <= 10_000; i++) {
    const header = { ...headerOf(at(net, 'a')), source: 1_000_000 + i, number: 0, founding: 0 };
    inject(net, at(net, 'a'), packet(header, []), `at-${i}`);
  }
  t.true(node.membership.peers.size <= 4096, `${node.membership.peers.size} peers`);
  t.is(gauge(node).unstable, 0);
});
