/**
 * A mesh over TCP does what every transport must. Pairs that connect at once have one connection and lose nothing; resets,
 * cuts, half-open connections, garbage, wrong seeds, slow and restarted peers do no harm.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { domainTag, parseAddress } from '../../transport/addresses.js';
import { TransportError } from '../../transport/errors.js';
import { encodeGreeting, meshMagic } from '../../transport/framing.js';
import { Kind } from '../../transport/outflow.js';
import { tcp, type TcpOptions } from '../../transport/tcp.js';
import type { TransportFactory } from '../../transport/transport.js';
import { compliance, freshDomain } from './compliance.js';
import { bytesOf, listen, pattern, same, textOf, type Listener } from './listener.js';
import { freePort, openProxy } from './proxy.js';

/** A network of nodes each of which knows those that were opened before it. */
function network(options: TcpOptions = {}): TransportFactory {
  const seeds: string[] = [];
  return async (domain, handlers) => {
    const transport = await tcp({ ...options, seeds: [...seeds] })(domain, handlers);
    seeds.push(transport.address);
    return transport;
  };
}

compliance({ name: 'tcp', network });

async function node(t: ExecutionContext, domain: string, options: TcpOptions = {}): Promise<Listener> {
  const listener = await listen(tcp(options), domain);
  t.teardown(() => listener.transport.close());
  return listener;
}

function frame(kind: number, bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  header.writeUInt8(kind);
  return Buffer.concat([header, bytes]);
}

/** Connects to a node and sends bytes; resolves with what it said when it hangs up. */
async function knock(address: string, bytes: Uint8Array): Promise<Buffer> {
  const { host, port } = parseAddress(address);
  const socket = connect({ host, port });
  const answer: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(answer);
}

test('tcp: two that connect to each other at once have one connection, and lose and double nothing', async (t) => {
  t.timeout(60_000);
  const domain = freshDomain();
  for (let round = 0; round < 30; round++) {
    // by turns no delay, the same for both, any
    const delay = () => [0, 3, Math.random() * 12][round % 3] ?? 0;
    const proxies = await Promise.all([openProxy(t, '', delay), openProxy(t, '', delay)]);
    const both = await Promise.all(
      proxies.map(async (proxy) => {
        const port = await freePort();
        proxy.target = `127.0.0.1:${port}`;
        return listen(tcp({ listen: proxy.target, advertise: proxy.address }), domain);
      }),
    );
    const count = 20;
    const speak = (from: number, i: number): void => {
      const to = both[1 - from] as Listener;
      both[from]?.transport.stream(to.address, bytesOf(`${i}`));
    };
    for (let i = 0; i < count; i++) for (const from of [0, 1]) speak(from, i);
    const expected = Array.from({ length: count }, (_, i) => `${i}`);
    for (const each of both) {
      await each.until(() => each.messages.length >= count || each.downs.length > 0);
      t.deepEqual(each.messages.map(textOf), expected, `round ${round}`);
      t.deepEqual(each.downs, []);
    }
    // what is superfluous is closed, and what is not goes on: it has to have come to rest for that to mean something
    while (proxies.reduce((sum, { live }) => sum + live, 0) > 1) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const from of [0, 1]) speak(from, count);
    for (const each of both) {
      await each.until(() => each.messages.length === count + 1 || each.downs.length > 0);
      t.deepEqual(each.downs, []);
    }
    t.is(
      proxies.reduce((sum, { live }) => sum + live, 0),
      1,
    );
    await Promise.all(both.map(({ transport }) => transport.close()));
  }
});

test('tcp: whatever resets connections, messages are lost only where it is told, none comes twice or out of order', async (t) => {
  t.timeout(60_000);
  const domain = freshDomain();
  const proxies = await Promise.all([openProxy(t), openProxy(t)]);
  const received: number[][] = [[], []];
  const both = await Promise.all(
    proxies.map(async (proxy, i) => {
      proxy.target = `127.0.0.1:${await freePort()}`;
      const other = proxies[1 - i]?.address ?? '';
      const open = tcp({ listen: proxy.target, advertise: proxy.address, seeds: [other] });
      const listener = await listen(open, domain, (bytes) =>
        received[i]?.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)),
      );
      t.teardown(() => listener.transport.close());
      return listener;
    }),
  );
  const message = (i: number): Uint8Array => {
    const bytes = pattern(1 + ((i * 7919) % 30_000) + 4, i);
    new DataView(bytes.buffer).setUint32(0, i);
    return bytes;
  };
  let sent = 0;
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 50; i++, sent++) {
      for (const from of [0, 1]) both[from]?.transport.stream(both[1 - from]?.address ?? '', message(sent));
    }
    const turns = round % 5;
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve, 3));
    for (const proxy of proxies) proxy.reset();
    // by turns at once again, soon, and when it has healed
    await new Promise((resolve) => setTimeout(resolve, [0, 10, 150][round % 3]));
  }
  // repeated until one of them comes: what was written to a connection that is about to break is lost
  const last = 1_000_000;
  for (const from of [0, 1]) {
    const to = both[1 - from] as Listener;
    const timer = setInterval(() => both[from]?.transport.stream(to.address, message(last)), 20);
    await to.until(() => received[1 - from]?.includes(last) === true);
    clearInterval(timer);
  }
  for (const [i, numbers] of received.entries()) {
    const before = numbers.filter((each) => each !== last);
    t.true(before.length > 100, `${before.length} of ${sent} came`);
    t.true(
      before.every((each, k) => k === 0 || each > (before[k - 1] ?? 0)),
      'in order, none twice',
    );
    const gaps = before.filter((each, k) => k > 0 && each !== (before[k - 1] ?? 0) + 1).length;
    const downs = both[1 - i]?.downs.length ?? 0;
    t.true(gaps <= downs, `${gaps} gaps, of which the sender was told ${downs} times`);
  }
});

test('tcp: a connection that has gone silent is given up, told once at each end, and made anew', async (t) => {
  t.timeout(30_000);
  const domain = freshDomain();
  const a = await node(t, domain);
  const proxy = await openProxy(t, a.address);
  const b = await node(t, domain, { seeds: [proxy.address] });
  b.transport.stream(a.address, bytesOf('before'));
  await a.until(() => a.messages.length === 1);
  proxy.freeze();
  for (let i = 0; i < 3; i++) a.transport.stream(b.address, bytesOf('lost'));
  await Promise.all([a, b].map((each) => each.until(() => each.downs.length === 1)));
  // whoever notices first connects anew, and the other one learns of it by that
  t.true([a, b].some(({ downs }) => /silent for 5 s/.test(downs[0]?.why ?? '')));
  a.transport.stream(b.address, bytesOf('after'));
  b.transport.stream(a.address, bytesOf('after'));
  await a.until(() => a.messages.length === 2);
  await b.until(() => b.messages.length === 1);
  t.deepEqual([...a.messages, ...b.messages].map(textOf), ['before', 'after', 'after']);
  t.deepEqual([a.downs.length, b.downs.length], [1, 1]);
});

test('tcp: idle connections are kept', async (t) => {
  t.timeout(30_000);
  const [a, b] = await twoOf(t);
  await new Promise((resolve) => setTimeout(resolve, 6500));
  a.transport.multicast(bytesOf('still there'));
  await b.until(() => b.datagrams.length === 1);
  t.deepEqual([a.downs, b.downs], [[], []]);
});

async function twoOf(t: ExecutionContext, domain = freshDomain()): Promise<[Listener, Listener]> {
  const a = await node(t, domain);
  return [a, await node(t, domain, { seeds: [a.address] })];
}

test('tcp: a peer that was started anew at its address takes the place of its former life', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const proxy = await openProxy(t, a.address);
  const listenAt = `127.0.0.1:${await freePort()}`;
  const former = await node(t, domain, { listen: listenAt, seeds: [proxy.address] });
  former.transport.stream(a.address, bytesOf('one'));
  await a.until(() => a.messages.length === 1);
  // a does not learn of its end
  proxy.freeze();
  await former.transport.close();
  const again = await node(t, domain, { listen: listenAt, seeds: [proxy.address] });
  await a.until(() => a.downs.length === 1);
  t.regex(a.downs[0]?.why ?? '', /lost it and made a new one/);
  await a.until(() => a.errors.some(({ message }) => /or two nodes advertise this address/.test(message)));
  again.transport.stream(a.address, bytesOf('two'));
  a.transport.stream(again.address, bytesOf('three'));
  await a.until(() => a.messages.length === 2);
  await again.until(() => again.messages.length === 1);
  t.is(a.downs.length, 1);
});

for (const [what, bytes, words] of [
  ['text', () => bytesOf('GET / HTTP/1.1\r\n\r\n'), /does not speak this protocol/],
  [
    'the streams of a UDP node',
    (tag: Uint8Array) => encodeGreeting(tag, '127.0.0.1:9'),
    /does not speak this protocol/,
  ],
  ['another version', (tag: Uint8Array) => encodeGreeting(tag, '127.0.0.1:9', meshMagic).with(4, 77), /version 77/],
  ['another domain', () => encodeGreeting(domainTag('another'), '127.0.0.1:9', meshMagic), /another domain/],
  ['no address', (tag: Uint8Array) => encodeGreeting(tag, 'nonsense', meshMagic), /not an address/],
  [
    'an odd address',
    (tag: Uint8Array) => encodeGreeting(tag, '[::0001]:9', meshMagic),
    /not how an address is written/,
  ],
] as const) {
  test(`tcp: a connection that begins with ${what} is hung up on, with the reason`, async (t) => {
    const domain = freshDomain();
    const [a, b] = await twoOf(t, domain);
    await knock(a.address, bytes(domainTag(domain)));
    await a.until(() => a.errors.some(({ message }) => words.test(message)));
    b.transport.multicast(bytesOf('undisturbed'));
    await a.until(() => a.datagrams.length === 1);
    t.deepEqual([a.downs, b.downs], [[], []]);
  });
}

for (const [what, after, words] of [
  ['a message instead of the decision', [frame(Kind.stream, bytesOf('x'))], null],
  [
    'a length beyond the limit',
    [frame(Kind.go, bytesOf('')), Uint8Array.of(0, 0x20, 0, 0)],
    /2097152 bytes; the limit/,
  ],
  ['an unknown kind', [frame(Kind.go, bytesOf('')), frame(99, bytesOf('x'))], /it broke the protocol/],
  ['a second decision', [frame(Kind.go, bytesOf('')), frame(Kind.go, bytesOf(''))], /a second handshake/],
] as const) {
  test(`tcp: a peer that sends ${what} is hung up on`, async (t) => {
    const domain = freshDomain();
    const a = await node(t, domain);
    const greeting = encodeGreeting(domainTag(domain), '127.0.0.1:9', meshMagic);
    await knock(a.address, Buffer.concat([greeting, ...after]));
    // a go made it the connection of that peer, so its end is told
    if (words !== null) await a.until(() => a.downs.length === 1);
    t.is(a.downs.length, words === null ? 0 : 1);
    if (words !== null) t.regex(a.downs[0]?.why ?? '', words);
    t.deepEqual(a.messages, []);
  });
}

test('tcp: a message that is cut in the middle is not handed out, and the break says so', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const { host, port } = parseAddress(a.address);
  const socket = connect({ host, port });
  const whole = frame(Kind.stream, bytesOf('whole'));
  const cut = frame(Kind.stream, pattern(100_000, 1)).subarray(0, 50_000);
  const greeting = encodeGreeting(domainTag(domain), '127.0.0.1:9', meshMagic);
  socket.resume().end(Buffer.concat([greeting, frame(Kind.go, bytesOf('')), whole, cut]));
  await a.until(() => a.downs.length === 1);
  t.deepEqual(a.messages.map(textOf), ['whole']);
  t.deepEqual(a.downs, [{ to: '127.0.0.1:9', why: 'closed by the peer in the middle of a message', wasUp: true }]);
});

test('tcp: greetings and messages may come in any pieces', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const { host, port } = parseAddress(a.address);
  const socket = connect({ host, port, noDelay: true });
  const greeting = encodeGreeting(domainTag(domain), '127.0.0.1:9', meshMagic);
  const all = Buffer.concat([
    greeting,
    frame(Kind.go, bytesOf('')),
    frame(Kind.datagram, bytesOf('one')),
    frame(Kind.stream, bytesOf('two')),
  ]);
  for (const byte of all) await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
  await a.until(() => a.messages.length === 1 && a.datagrams.length === 1);
  t.deepEqual([a.datagrams, a.messages].flat().map(textOf), ['one', 'two']);
  socket.destroy();
});

/** A peer by hand that is connected to a node and reads nothing any more. */
async function deafPeer(
  t: ExecutionContext,
  a: Listener,
  domain: string,
): Promise<{ address: string; socket: Socket }> {
  const { host, port } = parseAddress(a.address);
  const address = '127.0.0.1:9';
  const socket = connect({ host, port });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(Buffer.concat([encodeGreeting(domainTag(domain), address, meshMagic), frame(Kind.go, bytesOf(''))]));
  socket.write(frame(Kind.stream, bytesOf('here')));
  await a.until(() => a.messages.length === 1);
  return { address, socket };
}

test('tcp: to a peer that takes nothing datagrams are dropped and counted, and memory stays bounded', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const b = await node(t, domain, { seeds: [a.address] });
  const { address } = await deafPeer(t, a, domain);
  const bytes = pattern(60_000, 1);
  let atB = 0;
  for (let i = 0; i < 1000; i++) {
    a.transport.multicast(bytes);
    // b reads, so it gets everything
    if (i % 20 === 19) await b.until(() => b.datagrams.length === i + 1);
    t.true(a.transport.datagramsPending * bytes.length < 20 * 1024 * 1024);
    atB = b.datagrams.length;
  }
  t.is(atB, 1000);
  t.true(b.datagrams.every((each) => same(each.bytes, bytes)));
  const words = /datagrams to 127\.0\.0\.1:9 dropped: it takes less than it is sent; \d+ in all/;
  await a.until(() => a.errors.some(({ message }) => words.test(message)));
  t.is(a.transport.streamBacklog(address), 0);
});

test('tcp: a stream that passes the limit of its backlog breaks, once', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const { address } = await deafPeer(t, a, domain);
  for (let i = 0; i < 100; i++) a.transport.stream(address, new Uint8Array(1024 * 1024));
  t.deepEqual(a.downs, []);
  await a.until(() => a.downs.length > 0);
  t.is(a.downs.length, 1);
  t.regex(a.downs[0]?.why ?? '', /waiting to be written/);
});

test('tcp: a heartbeat does not wait behind megabytes on the streams', async (t) => {
  const [a, b] = await twoOf(t);
  for (let i = 0; i < 40; i++) a.transport.stream(b.address, pattern(1024 * 1024, i));
  a.transport.unicast(b.address, bytesOf('alive'));
  await b.until(() => b.datagrams.length === 1);
  t.true(b.messages.length < 20, `${b.messages.length} messages came before it`);
  await b.until(() => b.messages.length === 40);
  t.true(b.messages.every(({ bytes }, i) => same(bytes, pattern(1024 * 1024, i))));
});

test('tcp: seeds that are nobody, somebody else, silent or of another domain are told once, and found when they come', async (t) => {
  t.timeout(30_000);
  const domain = freshDomain();
  const other = await node(t, freshDomain());
  const web = createServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  const mute = createServer((socket) => socket.resume());
  const ports: number[] = [];
  for (const server of [web, mute]) {
    t.teardown(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    ports.push(bound !== null && typeof bound === 'object' ? bound.port : 0);
  }
  const nobody = `127.0.0.1:${await freePort()}`;
  const seeds = [nobody, ...ports.map((port) => `127.0.0.1:${port}`), other.address];
  const a = await node(t, domain, { seeds });
  const told = (): string[] => a.errors.map(({ message }) => message).filter((each) => each.startsWith('seed '));
  await a.until(() => told().length === 4);
  for (const [i, words] of [
    /nobody listens/,
    /not speak this protocol/,
    /no answer within 2000/,
    /another domain/,
  ].entries()) {
    t.regex(told().find((each) => each.startsWith(`seed ${seeds[i] ?? ''}:`)) ?? '', words);
  }
  const late = await node(t, domain, { listen: nobody });
  late.transport.multicast(bytesOf('nobody hears this, or a does'));
  const timer = setInterval(() => late.transport.multicast(bytesOf('hello')), 20);
  await a.until(() => a.datagrams.length > 0);
  clearInterval(timer);
  t.deepEqual(a.downs, []);
  t.is(told().length, 4);
});

test('tcp: a list of seeds may name the node itself, by any name, and one node twice', async (t) => {
  const domain = freshDomain();
  const [one, two] = [await freePort(), await freePort()];
  const seeds = [one, two].flatMap((port) => [`127.0.0.1:${port}`, `localhost:${port}`, `127.0.0.2:${port}`]);
  // all of 127.0.0.0/8 is this machine, so that each seed is another way to the same nodes
  const listenAt = (port: number): TcpOptions => ({ listen: `0.0.0.0:${port}`, advertise: `127.0.0.1:${port}`, seeds });
  const [a, b] = await Promise.all([node(t, domain, listenAt(one)), node(t, domain, listenAt(two))]);
  for (let i = 0; i < 5; i++) {
    const timer = setInterval(() => a.transport.multicast(bytesOf(`${i}`)), 20);
    await b.until(() => b.datagrams.some((each) => textOf(each) === `${i}`));
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  b.transport.stream(a.address, bytesOf('once'));
  await a.until(() => a.messages.length === 1);
  t.deepEqual([a.downs, b.downs, a.datagrams], [[], [], []]);
  t.deepEqual([...new Set(b.datagrams.map(({ from }) => from))], [a.address]);
});

test('tcp: an address of many, of which the first to answer is the node itself, leads to all of them', async (t) => {
  const domain = freshDomain();
  const balanced = await openProxy(t);
  const port = await freePort();
  balanced.target = `127.0.0.1:${port}`;
  const a = await node(t, domain, { listen: balanced.target, seeds: [balanced.address] });
  await a.until(() => a.errors.length === 1);
  t.is(
    a.errors[0]?.message,
    `seed ${balanced.address}: this node itself answers there; it is tried again now and then, in case that others do, too`,
  );
  const others = [await node(t, domain), await node(t, domain)];
  for (const other of others) {
    // it meets itself again, then somebody new while it is connected to whom it met before
    balanced.target = a.address;
    await new Promise((resolve) => setTimeout(resolve, 300));
    balanced.target = other.address;
    const timer = setInterval(() => a.transport.multicast(bytesOf('hello')), 20);
    await other.until(() => other.datagrams.length > 0);
    clearInterval(timer);
  }
  t.deepEqual([a, ...others].map(({ downs }) => downs).flat(), []);
  t.is(a.errors.length, 1);
});

test('tcp: who can only connect, and not be connected to, is reached over its own connection', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain);
  const hidden = await node(t, domain, { advertise: `127.0.0.1:${await freePort()}`, seeds: [a.address] });
  t.not(hidden.address, '');
  a.transport.stream(hidden.address, bytesOf('to you'));
  a.transport.unicast(hidden.address, bytesOf('and you'));
  await hidden.until(() => hidden.messages.length === 1 && hidden.datagrams.length === 1);
  t.deepEqual(a.downs, []);
});

test('tcp: the nodes of the domain are connected to, whoever told of them', async (t) => {
  const domain = freshDomain();
  const all = [await node(t, domain), await node(t, domain), await node(t, domain)] as const;
  const addresses = all.map(({ address }) => address);
  for (const { transport } of all) transport.setNodes(addresses);
  for (const from of all) from.transport.multicast(bytesOf(from.address));
  for (const each of all) {
    await each.until(() => each.datagrams.length === 2);
    t.deepEqual(each.datagrams.map(textOf).sort(), addresses.filter((address) => address !== each.address).sort());
  }
});

test('tcp: on loopback nothing is sent beyond the machine', async (t) => {
  const a = await node(t, freshDomain(), { seeds: ['192.0.2.1:7000'] });
  t.true(a.transport.isLocal);
  await a.until(() => a.errors.some(({ message }) => /192\.0\.2\.1:7000: it is not on this machine/.test(message)));
  a.transport.stream('192.0.2.1:7000', bytesOf('x'));
  await a.until(() => a.downs.length === 1);
  t.is(a.downs[0]?.to, '192.0.2.1:7000');
});

const outward = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find((each) => each.family === 'IPv4' && !each.internal)?.address;

if (outward === undefined) console.log('tcp: not played off the machine: it has no address but loopback');
(outward === undefined ? test.skip : test)('tcp: on all interfaces it advertises one that others reach', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain, { listen: '0.0.0.0:0' });
  t.is(parseAddress(a.address).host, outward ?? '');
  t.false(a.transport.isLocal);
  const b = await node(t, domain, { listen: '0.0.0.0:0', advertise: outward ?? '', seeds: [a.address] });
  b.transport.multicast(bytesOf('hello'));
  await a.until(() => a.datagrams.length === 1);
  t.is(a.datagrams[0]?.from, b.address);
});

const nowhere = {
  datagram: () => {},
  stream: () => {},
  streamDown: () => {},
  error: () => {},
  tooLarge: () => {},
  moved: () => {},
};

for (const [what, options, words] of [
  [
    'an option that there is not',
    { seed: '127.0.0.1:1' } as TcpOptions,
    /no option 'seed'; it has listen, advertise, seeds/,
  ],
  ['a listen that is no address', { listen: '7000' }, /listen.*'7000' is not an address: write host:port/],
  [
    'a listen that is not of this machine',
    { listen: '192.0.2.1:0' },
    /192\.0\.2\.1:0.*EADDRNOTAVAIL.*0\.0\.0\.0 for all/,
  ],
  ['an advertised address that is none', { advertise: '0.0.0.0:7000' }, /nobody can connect to 0\.0\.0\.0/],
  ['an advertised name that is none', { advertise: 'nobody.invalid:7000' }, /nobody\.invalid.*numeric address/],
  ['a seed without a port', { seeds: ['10.0.0.1'] }, /seeds.*'10\.0\.0\.1' is not an address: write host:port/],
  ['seeds that are no list', { seeds: '10.0.0.1:7' as never }, /seeds.*a list of 'host:port'/],
  ['a DNS name that is an address', { dns: '10.0.0.1:7000' }, /'10\.0\.0\.1' is no name/],
  ['a DNS port that is none', { dns: { name: 'x', port: 0 } }, /port: 0.*1 to 65535/],
  [
    'a DNS option that there is not',
    { dns: { nmae: 'x' } as never },
    /dns.*no option 'nmae'; it has name, port, servers/,
  ],
  ['dns that is none', { dns: 5 as never }, /dns.*not 5; or give 'name:port'/],
  ['a DNS server that is none', { dns: { name: 'x', servers: ['foo'] } }, /servers.*list of numeric addresses.*'foo'/],
  ['an advertised number', { advertise: 7000 as never }, /advertise.*give 'host:port', or 'host', not 7000/],
  ['a file that is no name', { file: 7 as never }, /file.*the name of a file.*not 7/],
  ['null', null as never, /tcp\(\) takes an object with listen.*not null/],
  ['a refresh that is none', { refreshMillis: 0 }, /refreshMillis: 0.*from 100/],
  ['a refresh after an age', { refreshMillis: 1e12 }, /refreshMillis: 1000000000000.*to 3600000, an hour/],
] as const satisfies readonly (readonly [string, TcpOptions, RegExp])[]) {
  test(`tcp: ${what} is refused, with the remedy`, async (t) => {
    const opened = tcp(options)(freshDomain(), nowhere, undefined, true);
    await t.throwsAsync(opened, { instanceOf: TransportError, message: words });
  });
}

test('tcp: a port that is taken is refused, with the remedy', async (t) => {
  const a = await node(t, freshDomain());
  await t.throwsAsync(tcp({ listen: a.address })(freshDomain(), nowhere), {
    instanceOf: TransportError,
    message: /EADDRINUSE.*choose another port/,
  });
});

test('tcp: over IPv6 it does the same', async (t) => {
  const domain = freshDomain();
  const a = await node(t, domain, { listen: '[::1]:0' });
  const b = await node(t, domain, { listen: '[::1]:0', seeds: [a.address.replace('::1', '0:0::1')] });
  t.true(b.transport.isLocal);
  t.true(a.address.startsWith('[::1]:'));
  b.transport.multicast(bytesOf('hello'));
  await a.until(() => a.datagrams.length === 1);
  t.deepEqual(
    a.datagrams.map(({ from }) => from),
    [b.address],
  );
  a.transport.stream(b.address, bytesOf('back'));
  await b.until(() => b.messages.length === 1);
  // of the other family too
  const other = await node(t, domain);
  t.is(await a.transport.probe(other.address), 'somebody');
  t.is(await other.transport.probe(a.address), 'somebody');
  t.is(await a.transport.probe(`127.0.0.1:${await freePort()}`), 'nobody');
});
