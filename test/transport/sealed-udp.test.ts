/** UDP multicast under a key does what every transport must; who has none, or only what was recorded, does nothing to it. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { domainMulticast, domainTag, parseAddress } from '../../transport/addresses.js';
import { encodeGreeting, streamsMagic } from '../../transport/framing.js';
import type { Keyring } from '../../transport/keyring.js';
import { SealedDatagrams, sealedBytes } from '../../transport/sealed-datagrams.js';
import { ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { udpMulticast } from '../../transport/udp-multicast.js';
import { cutOff, flip } from '../lib/packets.js';
import { compliance, freshDomain, nodes } from './compliance.js';
import { introduced, keyOf, proven, ringOf, under } from './keyed.js';
import { bytesOf, listen, textOf, type Listener } from './listener.js';

compliance({
  name: 'udp under a key',
  network: () => introduced(under(ringOf('a'), udpMulticast({ datagramBytesMax: 60_000 + sealedBytes }))),
});

/** One who hears the multicasts of a domain and can send to anybody, and has no key. */
async function outsider(t: ExecutionContext, domain: string) {
  const tap = createSocket({ type: 'udp4', reuseAddr: true });
  const mouth = createSocket('udp4');
  t.teardown(() => [tap, mouth].forEach((socket) => socket.close()));
  const { address, port } = domainMulticast(domain);
  await bind(tap, address, port);
  tap.addMembership(address, '127.0.0.1');
  await bind(mouth, '127.0.0.1', 0);
  const recorded: Buffer[] = [];
  const answers: Buffer[] = [];
  let heard = (): void => {};
  tap.on('message', (bytes: Buffer) => {
    recorded.push(bytes);
    heard();
  });
  mouth.on('message', (bytes: Buffer) => answers.push(bytes));
  return {
    recorded,
    answers,
    /** Sends, a few at a time: what a full buffer loses would prove nothing. */
    async send(to: string, frames: readonly Uint8Array[], counted: () => number): Promise<void> {
      const { host, port: toPort } = parseAddress(to);
      for (let i = 0; i < frames.length; i += 32) {
        const some = frames.slice(i, i + 32);
        const before = counted();
        for (const frame of some) mouth.send(frame, toPort, host);
        await until(() => counted() >= before + some.length);
      }
    },
    /** The next datagram that passes by which is larger than a challenge. */
    async next(): Promise<Buffer> {
      for (;;) {
        const found = recorded.splice(0).find(({ length }) => length > 110);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    },
  };
}

/** What comes to an address at which nobody is any more. */
async function earAt(t: ExecutionContext, address: string): Promise<Buffer[]> {
  const { host, port } = parseAddress(address);
  const ear = createSocket('udp4');
  t.teardown(() => ear.close());
  await bind(ear, host, port);
  const heard: Buffer[] = [];
  ear.on('message', (bytes: Buffer) => heard.push(bytes));
  return heard;
}

async function bind(socket: Socket, address: string, port: number): Promise<void> {
  socket.bind({ address, port, exclusive: false });
  await once(socket, 'listening');
}

/** Waits for something that no event tells. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function count(node: Listener, name: string): number {
  return node.transport.statistics()[name] ?? 0;
}

/** Everything that a node dropped. */
function dropped(node: Listener): number {
  return ['datagramsNotAuthentic', 'datagramsSeenBefore', 'datagramsNotProven'].reduce(
    (sum, name) => sum + count(node, name),
    0,
  );
}

const open = udpMulticast();
const text = 'x'.repeat(60);

test('udp under a key: a datagram with any bit flipped, or cut anywhere, is dropped, and nobody answers', async (t) => {
  const domain = freshDomain();
  const thief = await outsider(t, domain);
  const ring = ringOf('a');
  const [a] = await nodes(t, under(ring, open), 1, domain);
  const { sockets, sealed, heard } = await handmade(t, ring, domain);
  const { host, port } = parseAddress(a.address);
  sockets.own.send(sealed.sealUnicast(bytesOf(text)) as Uint8Array[], port, host);
  await until(() => heard.length === 1);
  sealed.open(heard[0]?.bytes as Buffer);
  // its challenge, and its answer to the one of this end
  await until(() => heard.length === 2);
  // one that has not come yet
  const frame = Buffer.concat(sealed.sealUnicast(bytesOf(text)));
  t.false(frame.includes(text));
  const flipped = Array.from({ length: 8 * frame.length }, (_, bit) => flip(frame, bit));
  const damaged = [...flipped, ...cutOff(frame), Buffer.concat([frame, Buffer.alloc(1)])];
  const begun = performance.now();
  await thief.send(a.address, damaged, () => dropped(a));
  // a bit of its counter less, and it has come before
  const repeated = count(a, 'datagramsSeenBefore');
  t.true(repeated <= 2, `${repeated}`);
  t.is(count(a, 'datagramsNotAuthentic'), 9 * frame.length + 1 - repeated);
  t.deepEqual(a.datagrams, []);
  const lines = 1 + (performance.now() - begun) / 1000;
  t.true(a.errors.length > 0 && a.errors.length <= lines, 'the log has one line, and the count once a second');
  t.deepEqual([thief.answers.length, heard.length], [0, 2]);
  // what it was made from is not used up
  sockets.elsewhere.send(frame, port, host);
  await a.until(() => a.datagrams.length === 1);
  t.is(textOf(a.datagrams[0]), text);
});

test('udp under a key: what was recorded does nothing, to whomever it is sent and however much later', async (t) => {
  const domain = freshDomain();
  const thief = await outsider(t, domain);
  const network = introduced(under(ringOf('a'), open));
  const [a, b] = await nodes(t, network, 2, domain);
  a.transport.multicast(bytesOf(text));
  const frame = await thief.next();
  await b.until(() => b.datagrams.length === 1);

  await thief.send(b.address, [frame, frame], () => count(b, 'datagramsSeenBefore'));
  t.is(count(b, 'datagramsSeenBefore'), 2, 'to the same');
  await thief.send(a.address, [frame], () => count(a, 'datagramsSeenBefore'));
  t.is(count(a, 'datagramsSeenBefore'), 1, 'back to its sender');
  t.deepEqual(a.datagrams, []);

  await b.transport.close();
  const [again] = await nodes(t, network, 1, domain);
  await thief.send(again.address, [frame], () => count(again, 'datagramsSeenBefore'));
  t.is(count(again, 'datagramsSeenBefore'), 1, 'to one who has come later, while its sender lives');

  await Promise.all([a, again].map(({ transport }) => transport.close()));
  const [last] = await nodes(t, network, 1, domain);
  // whoever has its sender's address now is asked once whether it is there, in fewer bytes
  const asked = await earAt(t, a.address);
  await thief.send(last.address, [frame, frame, frame], () => dropped(last));
  t.is(count(last, 'datagramsNotProven'), 1, 'to one who has come when its sender was gone');
  await until(() => asked.length > 0);
  t.is(asked.length, 1);
  t.true((asked[0]?.length ?? Infinity) <= frame.length);
  t.is(proven(last.transport), 0);
  t.deepEqual([again.datagrams, last.datagrams], [[], []]);
  t.deepEqual(thief.answers, []);
});

test('udp under a key: other keys, other domains and none are not heard', async (t) => {
  const domain = freshDomain();
  const [a] = await nodes(t, under(ringOf('a'), open), 1, domain);
  const [b] = await nodes(t, under(ringOf('b'), open), 1, domain);
  const [plain] = await nodes(t, open, 1, domain);
  const others = [b, plain];
  for (const each of others) {
    const before = dropped(a);
    each.transport.multicast(bytesOf(text));
    each.transport.unicast(a.address, bytesOf(text));
    await until(() => dropped(a) >= before + 2);
    each.transport.stream(a.address, bytesOf(text));
    await each.until(() => each.downs.length > 0);
  }
  t.false(b.downs[0]?.wasUp, 'under another key there was no connection');
  t.deepEqual([a.datagrams, a.messages, a.downs], [[], [], []]);
  // and the other way round
  a.transport.stream(b.address, bytesOf(text));
  await a.until(() => a.downs.length === 1);
  t.deepEqual(b.messages, []);

  const other = freshDomain();
  const [x] = await nodes(t, under(ringOf('a'), open), 1, other);
  const thief = await outsider(t, other);
  x.transport.multicast(bytesOf(text));
  await thief.send(a.address, [await thief.next()], () => count(a, 'datagramsNotAuthentic'));
  a.transport.stream(x.address, bytesOf(text));
  await a.until(() => a.downs.length === 2);
  t.deepEqual([a.datagrams, x.messages], [[], []]);
});

test('udp under a key: a datagram is from whom it says, wherever it came from, and only that one is asked', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const [a] = await nodes(t, under(ring, open), 1, domain);
  const { sockets, sealed, heard } = await handmade(t, ring, domain);
  const to = parseAddress(a.address);
  const forged = (bytes: readonly Uint8Array[]): void => sockets.elsewhere.send(bytes, to.port, to.host);
  forged(sealed.sealUnicast(bytesOf(text)));
  await until(() => heard.length === 1);
  t.is(proven(a.transport), 0);
  // its answer proves it, and from then on it is heard
  t.is(sealed.open(heard[0]?.bytes as Buffer).kind, 'challenge');
  await until(() => proven(a.transport) === 1);
  forged(sealed.sealUnicast(bytesOf('now')));
  await a.until(() => a.datagrams.length === 1);
  t.deepEqual([textOf(a.datagrams[0]), a.datagrams[0]?.from], ['now', sockets.address]);
  t.true(heard.every(({ at }) => at === sockets.own));
  t.true(heard.every(({ bytes }) => bytes.length <= sealedBytes + text.length));
});

test('udp under a key: what is too small to be answered is not answered', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const [a] = await nodes(t, under(ring, open), 1, domain);
  const { sockets, sealed, heard } = await handmade(t, ring, domain);
  const { host, port } = parseAddress(a.address);
  sockets.own.send(sealed.sealUnicast(bytesOf('small')) as Uint8Array[], port, host);
  await until(() => count(a, 'datagramsNotProven') === 1);
  sockets.own.send(sealed.sealUnicast(bytesOf(text)) as Uint8Array[], port, host);
  await until(() => heard.length > 0);
  t.is(heard.length, 1);
});

/** A node's datagrams by hand: two sockets, one of which is where it says it is. */
async function handmade(t: ExecutionContext, keyring: Keyring, domain: string) {
  const own = createSocket('udp4');
  const elsewhere = createSocket('udp4');
  t.teardown(() => [own, elsewhere].forEach((socket) => socket.close()));
  const heard: { bytes: Buffer; at: Socket; from: RemoteInfo }[] = [];
  for (const socket of [own, elsewhere]) {
    await bind(socket, '127.0.0.1', 0);
    socket.on('message', (bytes, from) => heard.push({ bytes, at: socket, from }));
  }
  const { port } = own.address();
  const sealed = new SealedDatagrams({
    keyring,
    domain,
    own: { host: '127.0.0.1', port, family: 4 },
    send(pieces, to) {
      if (to !== null) own.send(pieces as Uint8Array[], to.port, to.host);
    },
  });
  return { sockets: { own, elsewhere, address: `127.0.0.1:${port}` }, sealed, heard };
}

test('udp under a key: nobody without it opens a stream, takes the place of one, or is answered', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const [a, b] = await nodes(t, introduced(under(ring, open)), 2, domain);
  a.transport.tether([b.address]);
  a.transport.stream(b.address, bytesOf('before'));
  await b.until(() => b.messages.length === 1);
  const tag = domainTag(domain);
  const greetings = [
    encodeGreeting(tag, a.address),
    new ConnectingHandshake({ keyring: ringOf('b'), tag, address: a.address, magic: streamsMagic }).greeting,
    new ConnectingHandshake({ keyring: ring, tag: domainTag('other'), address: a.address, magic: streamsMagic })
      .greeting,
  ];
  for (const greeting of greetings) t.is((await knock(b.address, [greeting])).length, 0, 'no answer');
  // as a had sent it once: recorded
  const { greeting } = new ConnectingHandshake({ keyring: ring, tag, address: a.address, magic: streamsMagic });
  for (let i = 0; i < greeting.length; i++) {
    t.is((await knock(b.address, [flip(greeting, 8 * i + (i % 8))], true)).length, 0, `byte ${i}`);
  }
  const answer = await knock(b.address, [greeting, Buffer.alloc(20)]);
  t.true(answer.length > 0 && answer.length <= greeting.length, 'a number that is of no use without the key');
  const again = await knock(b.address, [greeting, Buffer.alloc(20)]);
  t.notDeepEqual(again, answer);
  a.transport.stream(b.address, bytesOf('after'));
  await b.until(() => b.messages.length === 2);
  t.deepEqual(b.messages.map(textOf), ['before', 'after']);
  t.deepEqual([a.downs, b.downs], [[], []]);
});

/** Says things to a node's streams, each when it was answered or after a moment; resolves with what was answered. */
async function knock(address: string, parts: readonly Uint8Array[], ends = false): Promise<Buffer> {
  const { host, port } = parseAddress(address);
  const socket = connect({ host, port, noDelay: true });
  const answer: Buffer[] = [];
  const [first = Buffer.alloc(0), ...others] = parts;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    answer.push(chunk);
    const next = others.shift();
    if (next !== undefined) socket.write(next);
  });
  socket.write(first);
  // a length that was made larger waits for more
  if (ends) socket.end();
  await once(socket, 'close');
  return Buffer.concat(answer);
}

test('udp under keys: a key is changed without a loss: installed, used, removed', async (t) => {
  const domain = freshDomain();
  const rings = [ringOf('old'), ringOf('old')] as const;
  const opened: Listener[] = [];
  const tables = rings.map((ring) => under(ring, open));
  const joint = introducedOf(tables);
  for (const _ of rings) {
    const each = await listen(joint, domain);
    t.teardown(() => each.transport.close());
    opened.push(each);
  }
  const [a, b] = opened as [Listener, Listener];
  const [old, young] = [keyOf('old'), keyOf('new')];
  const steps = [
    [[old], [old]],
    [[old, young], [old]],
    [
      [old, young],
      [old, young],
    ],
    [
      [young, old],
      [old, young],
    ],
    [
      [young, old],
      [young, old],
    ],
    [[young], [young, old]],
    [[young], [young]],
  ] as const;
  for (const [i, [atA, atB]] of steps.entries()) {
    rings[0].replace(atA);
    rings[1].replace(atB);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.transport.multicast(bytesOf(`${i}`));
      from.transport.stream(to.address, bytesOf(`${i}`));
      await to.until(() => to.datagrams.length === i + 1 && to.messages.length === i + 1);
    }
  }
  t.deepEqual([a.downs, b.downs, a.errors, b.errors], [[], [], [], []]);
  // one who still has the old key alone is out
  const [late] = await nodes(t, under(ringOf('old'), open), 1, domain);
  a.transport.multicast(bytesOf(text));
  await until(() => count(late, 'datagramsNotAuthentic') > 0);
  t.deepEqual(late.datagrams, []);
});

/** A network in which each node has a ring of its own, in turn. */
function introducedOf(tables: readonly ReturnType<typeof under>[]) {
  let at = 0;
  return introduced((domain, handlers) => (tables[at++] as ReturnType<typeof under>)(domain, handlers));
}

test('udp under a key: where no unicasts come through, senders prove themselves by multicasts', async (t) => {
  const ring = ringOf('a');
  const said: Buffer[] = [];
  const ends = [1, 2].map(
    (port) =>
      new SealedDatagrams({
        keyring: ring,
        domain: 'd',
        own: { host: '127.0.0.1', port, family: 4 },
        send(pieces, to) {
          if (to === null) said.push(Buffer.concat(pieces));
        },
      }),
  );
  for (let i = 0; ends.some(({ provenCount }) => provenCount === 0); i++) {
    t.true(i < 100);
    for (const end of ends) said.push(Buffer.concat(end.sealMulticast(bytesOf(text))));
    for (let frame = said.shift(); frame; frame = said.shift()) for (const end of ends) end.open(frame);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
});

test('udp under a key: what was withheld is late for ten seconds, then nothing, and who lives is believed again', (t) => {
  const keyring = ringOf('a');
  let now = 1000;
  const frames: Buffer[][] = [[], []];
  const [a, b] = [0, 1].map(
    (index) =>
      new SealedDatagrams({
        keyring,
        domain: 'd',
        own: { host: '127.0.0.1', port: 1 + index, family: 4 },
        // clocks differ
        now: () => now + 5000 * index,
        send: (pieces) => frames[1 - index]?.push(Buffer.concat(pieces)),
      }),
  ) as [SealedDatagrams, SealedDatagrams];
  const say = (): Buffer => Buffer.concat(a.sealMulticast(bytesOf(text)));
  const exchange = (): void => {
    for (let left = 10; left > 0; left--) {
      for (const frame of frames[1]?.splice(0) ?? []) b.open(frame);
      for (const frame of frames[0]?.splice(0) ?? []) a.open(frame);
    }
  };
  b.open(say());
  exchange();
  t.is(b.open(say()).kind, 'datagram');
  const [late, withheld, last] = [say(), say(), say()];
  now += 9000;
  t.is(b.open(late).kind, 'datagram', 'late');
  now += 2000;
  t.deepEqual(b.open(withheld), { kind: 'refused', why: 'not proven yet' });
  t.is(b.open(last).kind, 'refused');
  exchange();
  t.is(b.open(say()).kind, 'datagram', 'it has answered');
  t.deepEqual(b.open(last), { kind: 'refused', why: 'seen before' });
  now += 1_000_000;
  t.is(b.open(say()).kind, 'datagram', 'silence is nothing');
});
