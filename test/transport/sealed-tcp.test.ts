/** A mesh over TCP under a key does what every transport must; who has none gets no answer, and what was recorded does nothing. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { domainTag, parseAddress } from '../../transport/addresses.js';
import { encodeGreeting, meshMagic } from '../../transport/framing.js';
import type { Keyring } from '../../transport/keyring.js';
import { ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { tcp, type TcpOptions } from '../../transport/tcp.js';
import type { TransportFactory } from '../../transport/transport.js';
import { flip } from '../lib/packets.js';
import { compliance, freshDomain } from './compliance.js';
import { keyOf, ringOf, under } from './keyed.js';
import { bytesOf, listen, pattern, textOf, type Listener } from './listener.js';

function network(): TransportFactory {
  const seeds: string[] = [];
  const ring = ringOf('a');
  return async (domain, handlers) => {
    const transport = await tcp({ seeds: [...seeds] })(domain, handlers, ring);
    seeds.push(transport.address);
    return transport;
  };
}

compliance({ name: 'tcp under a key', network });

async function node(t: ExecutionContext, domain: string, ring: Keyring, options: TcpOptions = {}): Promise<Listener> {
  const listener = await listen(under(ring, tcp(options)), domain);
  t.teardown(() => listener.transport.close());
  return listener;
}

/** Says something to a node; resolves with what was answered when it has hung up. */
async function knock(address: string, bytes: Uint8Array): Promise<Buffer> {
  const { host, port } = parseAddress(address);
  const socket = connect({ host, port });
  const answer: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  socket.end(bytes);
  await once(socket, 'close');
  return Buffer.concat(answer);
}

/** One on the way to a node, who records what is said to it, and may change it. */
async function eavesdropper(t: ExecutionContext) {
  const thief = { address: '', target: '', said: [] as Buffer[], flip: false };
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const { host, port } = parseAddress(thief.target);
    const far = connect({ host, port });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [near, far].forEach((each) => each.destroy()));
    }
    near.on('data', (chunk: Buffer) => {
      thief.said.push(Buffer.from(chunk));
      if (thief.flip) chunk[chunk.length >> 1] = (chunk[chunk.length >> 1] ?? 0) ^ 1;
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => near.write(chunk));
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server, 'listening');
  const bound = server.address();
  thief.address = `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`;
  return thief;
}

test('tcp under a key: who has none, or another, or is of another domain, gets no answer', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const a = await node(t, domain, ring);
  const tag = domainTag(domain);
  const sealing = { keyring: ring, tag, address: '127.0.0.1:9', magic: meshMagic };
  const { greeting } = new ConnectingHandshake(sealing);
  for (const bytes of [
    encodeGreeting(tag, '127.0.0.1:9', meshMagic),
    new ConnectingHandshake({ ...sealing, keyring: ringOf('b') }).greeting,
    new ConnectingHandshake({ ...sealing, tag: domainTag('other') }).greeting,
    ...[...greeting.keys()].map((i) => flip(greeting, 8 * i + (i % 8))),
  ]) {
    t.is((await knock(a.address, bytes)).length, 0);
  }
  const others = [ringOf('b'), undefined].map((keyring) =>
    listen((name, handlers) => tcp({ seeds: [a.address] })(name, handlers, keyring), domain),
  );
  for (const other of await Promise.all(others)) {
    t.teardown(() => other.transport.close());
    other.transport.stream(a.address, bytesOf('x'));
    other.transport.multicast(bytesOf('x'));
    await other.until(() => other.downs.length > 0);
    t.false(other.downs[0]?.wasUp);
  }
  t.deepEqual([a.datagrams, a.messages, a.downs], [[], [], []]);
});

test('tcp under a key: a connection that was recorded opens none, and takes the place of none', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const thief = await eavesdropper(t);
  const b = await node(t, domain, ring);
  thief.target = b.address;
  const a = await node(t, domain, ring, { seeds: [thief.address] });
  a.transport.stream(b.address, bytesOf('secret'));
  await b.until(() => b.messages.length === 1);
  t.true(thief.said.length >= 2);
  t.false(Buffer.concat(thief.said).includes('secret'));
  const { host, port } = parseAddress(b.address);
  const socket = connect({ host, port });
  socket.on('error', () => {});
  const [greeting, ...rest] = thief.said as [Buffer, ...Buffer[]];
  socket.write(greeting);
  // its number is another than the recorded one
  await once(socket, 'data');
  socket.write(Buffer.concat(rest));
  await once(socket, 'close');
  a.transport.stream(b.address, bytesOf('after'));
  await b.until(() => b.messages.length === 2);
  t.deepEqual(b.messages.map(textOf), ['secret', 'after']);
  t.deepEqual([a.downs, b.downs], [[], []]);
});

test('tcp under a key: what was changed on its way breaks the connection, and is not handed out', async (t) => {
  const domain = freshDomain();
  const ring = ringOf('a');
  const thief = await eavesdropper(t);
  const b = await node(t, domain, ring);
  thief.target = b.address;
  const a = await node(t, domain, ring, { seeds: [thief.address] });
  a.transport.stream(b.address, pattern(100_000, 1));
  await b.until(() => b.messages.length === 1);
  thief.flip = true;
  a.transport.stream(b.address, pattern(100_000, 2));
  await b.until(() => b.downs.length === 1);
  t.regex(b.downs[0]?.why ?? '', /not authentic/);
  t.is(b.messages.length, 1);
});

test('tcp under keys: a key is changed without a loss', async (t) => {
  const domain = freshDomain();
  const rings = [ringOf('old'), ringOf('old')] as const;
  const a = await node(t, domain, rings[0]);
  const b = await node(t, domain, rings[1], { seeds: [a.address] });
  const [old, young] = [keyOf('old'), keyOf('new')];
  for (const [i, keys] of [[old], [old, young], [young, old], [young]].entries()) {
    for (const ring of rings) ring.replace(keys);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.transport.stream(to.address, bytesOf(`${i}`));
      from.transport.multicast(bytesOf(`${i}`));
      await to.until(() => to.messages.length === i + 1 && to.datagrams.length === i + 1);
    }
  }
  t.deepEqual([a.downs, b.downs], [[], []]);
  // one end that is ahead of the other is not understood
  rings[0].replace([keyOf('newest')]);
  a.transport.stream(b.address, bytesOf('lost'));
  await b.until(() => b.downs.length === 1);
  t.regex(b.downs[0]?.why ?? '', /a key is used there that is not installed here/);
});
