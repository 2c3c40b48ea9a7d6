/** UDP multicast does what every transport must; garbage, busy, slow and dead peers and wrong options do no harm. */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { domainMulticast, domainTag, parseAddress, usableInterfaces } from '../../transport/addresses.js';
import { TransportError } from '../../transport/errors.js';
import { encodeGreeting } from '../../transport/framing.js';
import { sealBytes, sealOf } from '../../transport/seal.js';
import { udpMulticast } from '../../transport/udp-multicast.js';
import type { UdpMulticastOptions } from '../../transport/udp-multicast.js';
import { compliance, freshDomain, nodes } from './compliance.js';
import { bytesOf, listen, pattern, same, textOf } from './listener.js';
import type { Command, Report } from './peer.js';
import { freePort } from './proxy.js';

compliance({ name: 'udp', network: () => udpMulticast() });

/** This machine's addresses that are not loopback, as far as others could use them. */
const outward = usableInterfaces().filter((each) => !each.loopback);

for (const family of [4, 6] as const) {
  const on = outward.find((each) => each.family === family)?.address;
  if (on === undefined) console.log(`udp: not played over IPv${family} off the machine: it has no such address`);
  else {
    // what is sealed is four bytes longer
    const network = () => udpMulticast({ interface: on, datagramBytesMax: 60_000 + sealBytes });
    compliance({ name: `udp over IPv${family} off the machine`, network });
  }
}

/** Connects to a node's streams and sends bytes; resolves when the node hangs up. */
async function knock(address: string, bytes: Uint8Array): Promise<void> {
  const { host, port } = parseAddress(address);
  const socket = connect({ host, port });
  socket.on('error', () => {});
  socket.resume();
  socket.write(bytes);
  await once(socket, 'close');
}

function header(length: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

test('udp: garbage on the stream port is hung up on, reported, and disturbs nobody', async (t) => {
  const domain = freshDomain();
  const [a, b] = await nodes(t, udpMulticast(), 2, domain);
  a.transport.stream(b.address, bytesOf('before'));
  await b.until(() => b.messages.length === 1);
  await knock(b.address, bytesOf('GET / HTTP/1.1\r\n\r\n'));
  await knock(b.address, Buffer.concat([encodeGreeting(domainTag(domain), '127.0.0.1:9'), header(2 ** 31)]));
  await b.until(() => b.errors.length === 2);
  t.regex(b.errors[0]?.message ?? '', /does not speak this protocol/);
  t.regex(b.errors[1]?.message ?? '', /2147483648 bytes/);
  t.deepEqual(
    b.downs.map((each) => each.to),
    ['127.0.0.1:9'],
    'only the one that said whose it is was a stream',
  );
  a.transport.stream(b.address, bytesOf('after'));
  await b.until(() => b.messages.length === 2);
  t.deepEqual(b.messages.map(textOf), ['before', 'after']);
  t.deepEqual(a.downs, []);
});

for (const [what, bytes, words] of [
  ['another version', (tag: Uint8Array) => encodeGreeting(tag, '127.0.0.1:9').with(4, 77), /version 77/],
  ['another domain', () => encodeGreeting(domainTag('another'), '127.0.0.1:9'), /another domain/],
  ['no address', (tag: Uint8Array) => encodeGreeting(tag, 'nonsense'), /not an address/],
  ['an odd address', (tag: Uint8Array) => encodeGreeting(tag, '127.0.0.1:0099'), /not how an address is written/],
  ['a foreign address', (tag: Uint8Array) => encodeGreeting(tag, '192.0.2.77:99'), /it says it is 192.0.2.77:99/],
] as const) {
  test(`udp: a greeting with ${what} is refused, with the reason`, async (t) => {
    const domain = freshDomain();
    const [a] = await nodes(t, udpMulticast(), 1, domain);
    await knock(a.address, bytes(domainTag(domain)));
    await a.until(() => a.errors.length > 0);
    t.regex(a.errors[0]?.message ?? '', words);
    t.deepEqual(a.downs, []);
  });
}

test('udp: a greeting and messages may come in any pieces', async (t) => {
  const domain = freshDomain();
  const [a] = await nodes(t, udpMulticast(), 1, domain);
  const { host, port } = parseAddress(a.address);
  const socket = connect({ host, port, noDelay: true });
  const message = bytesOf('in pieces');
  const all = Buffer.concat([encodeGreeting(domainTag(domain), '127.0.0.1:9'), header(message.length), message]);
  for (const byte of all) await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
  await a.until(() => a.messages.length === 1);
  t.deepEqual([textOf(a.messages[0]), a.messages[0]?.from], ['in pieces', '127.0.0.1:9']);
  socket.destroy();
  await a.until(() => a.downs.length === 1);
  t.is(a.downs[0]?.to, '127.0.0.1:9');
});

/** A peer made by hand: a server with the test's own connection to the node, so that each end can be broken by itself. */
async function handmade(t: ExecutionContext, to: string, domain: string) {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    accepted.push(socket);
  }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const bound = server.address();
  const address = `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`;
  const { host, port } = parseAddress(to);
  const socket = connect({ host, port, noDelay: true });
  socket.on('error', () => {});
  t.teardown(() => {
    for (const each of [socket, ...accepted]) each.destroy();
  });
  const say = (text: string): void => {
    socket.write(Buffer.concat([header(text.length), bytesOf(text)]));
  };
  socket.write(encodeGreeting(domainTag(domain), address));
  return { server, address, accepted, socket, say };
}

test('udp: an incoming connection is read to its end although the outgoing one has broken', async (t) => {
  const domain = freshDomain();
  const [a] = await nodes(t, udpMulticast(), 1, domain);
  const peer = await handmade(t, a.address, domain);
  peer.say('hello');
  await a.until(() => a.messages.length === 1);
  a.transport.stream(peer.address, bytesOf('hello'));
  await once(peer.server, 'connection');
  peer.accepted[0]?.resetAndDestroy();
  await a.until(() => a.downs.length === 1);
  peer.say('last words');
  await a.until(() => a.messages.length === 2);
  t.is(textOf(a.messages[1]), 'last words');
  peer.socket.end();
  await once(peer.socket.resume(), 'close');
  t.is(a.downs.length, 1);
});

test('udp: a new outgoing connection makes a later break of the incoming one news again', async (t) => {
  const domain = freshDomain();
  const [a] = await nodes(t, udpMulticast(), 1, domain);
  const peer = await handmade(t, a.address, domain);
  peer.say('hello');
  await a.until(() => a.messages.length === 1);
  for (const times of [1, 2]) {
    a.transport.stream(peer.address, bytesOf('hello'));
    const [socket] = (await once(peer.server, 'connection')) as [Socket];
    await once(socket, 'data');
    if (times === 1) socket.resetAndDestroy();
    else peer.socket.resetAndDestroy();
    await a.until(() => a.downs.length === times);
    if (times === 2) await once(socket.resume(), 'close');
  }
  t.deepEqual(
    a.downs.map((each) => each.to),
    [peer.address, peer.address],
  );
});

test('udp: a process that is busy for longer than a connection may take still gets it', async (t) => {
  const [a, b] = await nodes(t, udpMulticast(), 2, freshDomain());
  a.transport.stream(b.address, bytesOf('hello'));
  const until = performance.now() + 2200;
  while (performance.now() < until);
  await Promise.race([a.until(() => a.downs.length > 0), b.until(() => b.messages.length > 0)]);
  t.deepEqual(a.downs, []);
  t.deepEqual(b.messages.map(textOf), ['hello']);
});

test('udp: while it closes a node hears nothing, and a peer that takes nothing does not hold it up for ever', async (t) => {
  const domain = freshDomain();
  const [a, b] = await nodes(t, udpMulticast(), 2, domain);
  const peer = await handmade(t, b.address, domain);
  for (let i = 0; i < 30; i++) b.transport.stream(peer.address, new Uint8Array(1024 * 1024));
  await once(peer.server, 'connection');
  const closed = b.transport.close();
  a.transport.unicast(b.address, bytesOf('too late'));
  a.transport.multicast(bytesOf('too late'));
  peer.say('too late');
  await closed;
  t.deepEqual([b.datagrams, b.messages, b.downs], [[], [], []]);
});

test('udp: silent connections make room for those that say whose they are', async (t) => {
  const [a, b] = await nodes(t, udpMulticast(), 2, freshDomain());
  const { host, port } = parseAddress(b.address);
  const silent = Array.from({ length: 300 }, () => connect({ host, port }));
  for (const socket of silent) {
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
  }
  // the oldest is put out when the limit is passed
  const [oldest] = silent;
  if (oldest !== undefined) await once(oldest.resume(), 'close');
  a.transport.stream(b.address, bytesOf('hello'));
  await b.until(() => b.messages.length === 1);
  t.regex(b.errors[0]?.message ?? '', /others are waiting/);
  t.deepEqual(a.downs, []);
});

test('udp: garbage datagrams are handed up like others and disturb nobody', async (t) => {
  const domain = freshDomain();
  const [a, b] = await nodes(t, udpMulticast(), 2, domain);
  const stranger = createSocket('udp4');
  t.teardown(() => stranger.close());
  stranger.bind(0, '127.0.0.1');
  await once(stranger, 'listening');
  stranger.setMulticastInterface('127.0.0.1');
  const group = domainMulticast(domain);
  stranger.send(new Uint8Array(0), group.port, group.address);
  stranger.send(bytesOf('garbage'), group.port, group.address);
  stranger.send(bytesOf('garbage'), parseAddress(b.address).port, '127.0.0.1');
  await b.until(() => b.datagrams.length === 3);
  t.is(b.datagrams[2]?.from, `127.0.0.1:${stranger.address().port}`);
  a.transport.multicast(bytesOf('fine'));
  await b.until(() => b.datagrams.length === 4);
  t.is(textOf(b.datagrams[3]), 'fine');
  t.deepEqual(b.errors, []);
});

test('udp: own multicasts do not come back, and two domains on one port stay apart', async (t) => {
  const port = 20_000 + (process.pid % 10_000);
  const [a, b] = await nodes(t, udpMulticast({ port, address: '239.192.7.1' }), 2, 'shared');
  const [x, y] = await nodes(t, udpMulticast({ port, address: '239.192.7.2' }), 2, 'shared');
  for (let i = 0; i < 10; i++) {
    a.transport.multicast(bytesOf('a'));
    x.transport.multicast(bytesOf('x'));
  }
  await b.until(() => b.datagrams.length === 10);
  await y.until(() => y.datagrams.length === 10);
  b.transport.multicast(bytesOf('b'));
  await a.until(() => a.datagrams.length === 1);
  t.deepEqual(a.datagrams.map(textOf), ['b']);
  t.deepEqual([...new Set(b.datagrams.map(textOf))], ['a']);
  t.deepEqual([...new Set(y.datagrams.map(textOf))], ['x']);
  t.deepEqual(x.datagrams, []);
});

test('udp: a datagram that the system refuses is an error that is told, not thrown', async (t) => {
  // 127.0.0.1 reaches nothing outside: the system refuses the route
  const [a] = await nodes(t, udpMulticast(), 1, freshDomain());
  for (let i = 0; i < 100; i++) a.transport.unicast('192.0.2.200:9', bytesOf('into the void'));
  for (let i = 0; i < 100; i++) a.transport.unicast('[::1]:9', bytesOf('into the void'));
  await a.until(() => a.errors.length >= 4);
  const text = a.errors.map((each) => each.message);
  t.true(text.some((each) => /sending a datagram/.test(each)));
  t.true(text.some((each) => /not an IPv4 address/.test(each)));
  t.is(text.filter((each) => /99 times/.test(each)).length, 2);
});

test('udp: a stream that passes the limit of its backlog breaks, once', async (t) => {
  const domain = freshDomain();
  const [a] = await nodes(t, udpMulticast(), 1, domain);
  // it never reads: the system's buffers fill, then ours
  const { address: to } = await handmade(t, a.address, domain);
  for (let i = 0; i < 100; i++) a.transport.stream(to, new Uint8Array(1024 * 1024));
  t.deepEqual(a.downs, []);
  await a.until(() => a.downs.length > 0);
  t.is(a.downs.length, 1);
  t.regex(a.downs[0]?.why ?? '', /waiting to be written/);
});

test('udp: reads back what was granted', async (t) => {
  const [a] = await nodes(t, udpMulticast(), 1, freshDomain());
  t.regex(a.transport.description, new RegExp(`asked 8388608 B, granted: .* ${a.transport.receiveBufferBytes} B`));
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
  ['an interface of no such name', { interface: 'nothere0' }, /'nothere0'.*give a name or an address of one of.*127/],
  ['an address that no interface has', { interface: '203.0.113.9' }, /'203\.0\.113\.9'.*127\.0\.0\.1 \(/],
  ['an address that is no multicast address', { address: '10.0.0.1' }, /'10\.0\.0\.1' is not.*239\.192/],
  ['an address that is none', { address: 'fe80::1' }, /'fe80::1' is not a multicast address.*ff18::/],
  ['a multicast address of one link', { address: 'ff02::1' }, /'ff02::1' is of scope 2.*ff18::/],
  [
    'a multicast address of the other family',
    { address: 'ff18::1' },
    /'ff18::1' is IPv6 and interface 127.* IPv4.*name/,
  ],
  ['a link-local address', { interface: 'fe80::77' }, /'fe80::77'.*127\.0\.0\.1.*link-local/],
  ['a reserved multicast address', { address: '224.0.0.1' }, /'224\.0\.0\.1' is reserved.*239\.192/],
  ['an interface that is no text', { interface: 5 as never }, /interface: 5.*give the name of an interface/],
  ['an option that there is not', { iface: 1 } as never, /no option 'iface'; it has interface, address/],
  ['null', null as never, /udpMulticast\(\) takes an object with interface.*not null/],
  ['a bad port', { port: 70_000 }, /port: 70000.*1 to 65535/],
  ['a bad ttl', { ttl: 1.5 }, /ttl: 1\.5.*0 to 255/],
  ['a bad datagram size', { datagramBytesMax: 70_000 }, /datagramBytesMax: 70000.*508 to 65507/],
] as const satisfies readonly (readonly [string, UdpMulticastOptions, RegExp])[]) {
  test(`udp: ${what} is refused, with the remedy`, async (t) => {
    await t.throwsAsync(udpMulticast(options)(freshDomain(), nowhere), { instanceOf: TransportError, message: words });
  });
}

if (process.platform !== 'linux') console.log('udp: ::1 is not tried: only on Linux does it carry no multicast');
(process.platform === 'linux' ? test : test.skip)(
  'udp: the loopback address of IPv6 is refused where it carries no multicast',
  async (t) => {
    if (!usableInterfaces().some(({ address }) => address === '::1')) {
      t.log('not played: this machine has no ::1');
      t.pass();
      return;
    }
    await t.throwsAsync(udpMulticast({ interface: '::1' })(freshDomain(), nowhere), {
      instanceOf: TransportError,
      message: /::1.*use 127\.0\.0\.1/,
    });
  },
);

test('udp: a multicast port that somebody has for himself is refused, with the remedy', async (t) => {
  const other = createSocket('udp4');
  t.teardown(() => other.close());
  // a port of the system's choice is no domain's: the tests beside this one keep theirs
  other.bind(0, '0.0.0.0');
  await once(other, 'listening');
  const { port } = other.address();
  await t.throwsAsync(udpMulticast({ port })(freshDomain(), nowhere), {
    instanceOf: TransportError,
    message: new RegExp(`${port}.*EADDRINUSE.*choose another port`),
  });
});

test('udp: a node can be given its port, and a port that is taken is refused, with the remedy', async (t) => {
  const domain = freshDomain();
  const unicastPort = await freePort();
  const [a] = await nodes(t, udpMulticast({ unicastPort }), 1, domain);
  const [b] = await nodes(t, udpMulticast(), 1, domain);
  t.is(a.address, `127.0.0.1:${unicastPort}`);
  b.transport.unicast(a.address, bytesOf('datagram'));
  b.transport.stream(a.address, bytesOf('message'));
  await a.until(() => a.datagrams.length === 1 && a.messages.length === 1);
  await t.throwsAsync(udpMulticast({ unicastPort })(domain, nowhere), {
    instanceOf: TransportError,
    message: new RegExp(`port ${unicastPort} on 127.*EADDRINUSE.*another unicastPort`),
  });
});

test('udp: an interface can be given by its name', async (t) => {
  const loopback = Object.entries(networkInterfaces()).find(([, all]) =>
    all?.some((each) => each.address === '127.0.0.1'),
  );
  const [name = 'lo'] = loopback ?? [];
  const [a, b] = await nodes(t, udpMulticast({ interface: name }), 2, freshDomain());
  a.transport.multicast(bytesOf('by name'));
  await b.until(() => b.datagrams.length === 1);
  t.true(a.address.startsWith('127.0.0.1:'));
});

(outward[0] === undefined ? test.skip : test)(
  'udp: off the machine datagrams are sealed, and damaged ones lost',
  async (t) => {
    const domain = freshDomain();
    const [a, b] = await nodes(t, udpMulticast({ interface: outward[0]?.address ?? '' }), 2, domain);
    t.is(a.transport.datagramBytesMax, 60_000 - sealBytes);
    const outsider = createSocket(outward[0]?.family === 6 ? 'udp6' : 'udp4');
    t.teardown(() => outsider.close());
    const bytes = bytesOf('damaged');
    const { host, port } = parseAddress(b.address);
    outsider.send([bytes.with(0, 1), sealOf(bytes)], port, host);
    await b.until(() => b.errors.length === 1);
    t.regex(b.errors[0]?.message ?? '', /damaged/);
    const large = pattern(a.transport.datagramBytesMax, 1);
    a.transport.multicast(large);
    a.transport.unicast(b.address, bytesOf('whole'));
    await b.until(() => b.datagrams.length === 2);
    t.true(b.datagrams.some((each) => same(each.bytes, large)));
    t.true(b.datagrams.some((each) => textOf(each) === 'whole'));
  },
);

/** A node in a child process, with what it has reported. */
async function child(t: ExecutionContext, domain: string) {
  const process = fork(fileURLToPath(new URL('peer.js', import.meta.url)), [domain], { execArgv: [] });
  t.teardown(() => process.kill('SIGKILL'));
  const reports: Report[] = [];
  let waiting: (() => void)[] = [];
  process.on('message', (report: Report) => {
    reports.push(report);
    const now = waiting;
    waiting = [];
    for (const wake of now) wake();
  });
  const until = async (condition: (report: Report) => boolean): Promise<Report> => {
    for (;;) {
      const found = reports.find(condition);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const open = await until((report) => report.kind === 'open');
  const address = open.kind === 'open' ? open.address : '';
  const tell = (command: Command): void => {
    process.send(command);
  };
  return { process, address, reports, until, tell };
}

test('udp: a process that is killed is told as down, once, to one that reads from it and to one that writes to it', async (t) => {
  t.timeout(30_000);
  const domain = freshDomain();
  const [victim, both] = await Promise.all([child(t, domain), child(t, domain)]);
  const reader = await listen(udpMulticast(), domain);
  t.teardown(() => reader.transport.close());
  victim.tell({ kind: 'multicast', text: 'to all' });
  await both.until((report) => report.kind === 'datagram' && report.text === 'to all');
  await reader.until(() => reader.datagrams.some((each) => textOf(each) === 'to all' && each.from === victim.address));
  victim.tell({ kind: 'stream', to: both.address, text: 'tether' });
  victim.tell({ kind: 'stream', to: reader.address, text: 'tether' });
  both.tell({ kind: 'stream', to: victim.address, text: 'tether' });
  await both.until((report) => report.kind === 'stream');
  await victim.until((report) => report.kind === 'stream');
  await reader.until(() => reader.messages.length === 1);
  const killed = performance.now();
  victim.process.kill('SIGKILL');
  await Promise.all([both.until((report) => report.kind === 'down'), reader.until(() => reader.downs.length > 0)]);
  t.log(`told after ${(performance.now() - killed).toFixed(1)} ms`);
  // what could still be told is told before this has gone round
  both.tell({ kind: 'stream', to: reader.address, text: 'alive' });
  await reader.until(() => reader.messages.length === 2);
  reader.transport.stream(both.address, bytesOf('alive'));
  await both.until((report) => report.kind === 'stream' && report.text === 'alive');
  t.deepEqual(
    both.reports.flatMap((report) => (report.kind === 'down' ? [report.to] : [])),
    [victim.address],
  );
  t.deepEqual(
    reader.downs.map((each) => each.to),
    [victim.address],
  );
});
