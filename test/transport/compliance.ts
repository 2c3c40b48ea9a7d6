/**
 * What every transport must do, whatever it is made of. A transport's own test file says how to make a network and
 * adds what only it has.
 *
 * Datagrams may be lost by contract. Here a few are sent at a time, between sockets that are read, so that one that does not
 * arrive is a defect; the tests wait for them.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { TransportFactory, TransportHandlers } from '../../transport/transport.js';
import { bytesOf, listen, pattern, same, textOf } from './listener.js';
import type { Listener } from './listener.js';

/** One kind of transport. */
export interface Spec {
  readonly name: string;
  /** A fresh network: what transports of one factory open reach each other. */
  readonly network: () => TransportFactory;
}

let domains = 0;

/** A domain's name that no other test, in this process or another, uses. */
export function freshDomain(): string {
  domains += 1;
  return `test-${process.pid}-${domains}`;
}

/** Opens some nodes of one domain which are closed when the test ends. */
export async function nodes(t: ExecutionContext, open: TransportFactory, count: number, domain: string) {
  const all: Listener[] = [];
  for (let i = 0; i < count; i++) {
    const each = await listen(open, domain);
    t.teardown(() => each.transport.close());
    all.push(each);
  }
  return all as [Listener, Listener, Listener, Listener];
}

const sizes = [1, 1000, 60_000];

/** Sizes of stream messages around every limit of the framing: pack, read, message. */
const messageSizes = [0, 1, 100, 8191, 8192, 8193, 65_531, 65_536, 65_537, 300_000, 1_048_575, 1_048_576];

function datagramTests({ name, network }: Spec): void {
  test(`${name}: a multicast reaches all others, with the sender's address and its bytes`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    for (const [i, size] of sizes.entries()) {
      const sent = pattern(size, i);
      a.transport.multicast(sent);
      for (const node of [b, c]) {
        await node.until(() => node.datagrams.length === i + 1);
        t.is(node.datagrams[i]?.from, a.address);
        t.true(same(node.datagrams[i]?.bytes, sent), `${size} bytes`);
      }
    }
    c.transport.multicast(bytesOf('back'));
    await a.until(() => a.datagrams.some((each) => textOf(each) === 'back'));
    t.is(a.datagrams.find((each) => textOf(each) === 'back')?.from, c.address);
  });

  test(`${name}: a unicast reaches its target only`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    for (const [i, size] of sizes.entries()) {
      const sent = pattern(size, i);
      a.transport.unicast(b.address, sent);
      await b.until(() => b.datagrams.length === i + 1);
      t.is(b.datagrams[i]?.from, a.address);
      t.true(same(b.datagrams[i]?.bytes, sent), `${size} bytes`);
    }
    b.transport.unicast(c.address, bytesOf('next'));
    await c.until(() => c.datagrams.length > 0);
    t.deepEqual(c.datagrams.map(textOf), ['next']);
    t.deepEqual(a.datagrams, []);
  });

  test(`${name}: what was received is the receiver's own`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    const count = 50;
    const sent: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const [small, large] = [pattern(500, i), pattern(70_000, i)];
      sent.push(small, large);
      a.transport.multicast(small);
      a.transport.stream(b.address, small);
      a.transport.stream(c.address, large);
    }
    await b.until(() => b.datagrams.length === count && b.messages.length === count);
    await c.until(() => c.datagrams.length === count && c.messages.length === count);
    for (const node of [b, c]) {
      for (const received of [node.datagrams, node.messages]) {
        for (const [i, { bytes }] of received.entries()) {
          t.true(same(bytes, pattern(bytes.length, i)));
          // neither those after it here, nor the other node's, nor the sender's may see this
          bytes.fill(0xee);
        }
      }
    }
    for (const [i, bytes] of sent.entries()) t.true(same(bytes, pattern(bytes.length, Math.floor(i / 2))));
  });

  test(`${name}: a datagram or a message beyond the limit is a bug of the caller`, async (t) => {
    const [a, b] = await nodes(t, network(), 2, freshDomain());
    const large = new Uint8Array(a.transport.datagramBytesMax + 1);
    t.throws(() => a.transport.multicast(large), { instanceOf: RangeError, message: /limit/ });
    t.throws(() => a.transport.unicast(b.address, large), { instanceOf: RangeError, message: /limit/ });
    const huge = new Uint8Array(1024 * 1024 + 1);
    t.throws(() => a.transport.stream(b.address, huge), { instanceOf: RangeError, message: /limit/ });
  });

  test(`${name}: domains of other names are not heard`, async (t) => {
    const open = network();
    const [a, b] = await nodes(t, open, 2, freshDomain());
    const [x, y] = await nodes(t, open, 2, freshDomain());
    a.transport.multicast(bytesOf('from a'));
    x.transport.multicast(bytesOf('from x'));
    await b.until(() => b.datagrams.length > 0);
    await y.until(() => y.datagrams.length > 0);
    // a second round: by now anything of the first would be here
    a.transport.multicast(bytesOf('again'));
    x.transport.multicast(bytesOf('again'));
    await b.until(() => b.datagrams.length > 1);
    await y.until(() => y.datagrams.length > 1);
    t.deepEqual(b.datagrams.map(textOf), ['from a', 'again']);
    t.deepEqual(y.datagrams.map(textOf), ['from x', 'again']);
    // and a stream does not pass from one to the other
    a.transport.stream(x.address, bytesOf('wrong door'));
    await a.until(() => a.downs.length > 0);
    t.is(a.downs[0]?.to, x.address);
    t.deepEqual(x.messages, []);
  });

  test(`${name}: calls do not call back`, async (t) => {
    const [a, b] = await nodes(t, network(), 2, freshDomain());
    const told = (): number[] => [a.datagrams.length, a.messages.length, a.downs.length, a.errors.length];
    a.transport.unicast(a.address, bytesOf('self'));
    a.transport.stream(a.address, bytesOf('self'));
    a.transport.multicast(bytesOf('all'));
    a.transport.unicast('nonsense', bytesOf('lost'));
    a.transport.stream('nonsense', bytesOf('lost'));
    t.deepEqual(told(), [0, 0, 0, 0]);
    await a.until(() => a.downs.length === 1 && a.messages.length === 1 && a.datagrams.length > 0);
    t.is(a.downs[0]?.to, 'nonsense');
    t.is(a.messages[0]?.from, a.address);
    await b.until(() => b.datagrams.length === 1);
  });
}

function streamTests({ name, network }: Spec): void {
  test(`${name}: streams carry 20 MB both ways, in order and complete`, async (t) => {
    t.timeout(60_000);
    const open = network();
    const domain = freshDomain();
    const total = 20_000_000;
    const [a, b] = await Promise.all([stream(t, open, domain), stream(t, open, domain)]);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      let bytes = 0;
      for (let i = 0; bytes < total; i++) {
        const size = messageSizes[i % messageSizes.length] ?? 0;
        from.listener.transport.stream(to.listener.address, pattern(size, i));
        bytes += size;
      }
      t.true(from.listener.transport.streamBacklog(to.listener.address) > 0);
      to.expected = bytes;
    }
    for (const node of [a, b]) {
      await node.listener.until(() => node.bytes === node.expected || node.listener.downs.length > 0);
      t.deepEqual(node.listener.downs, []);
      t.is(node.wrong, 0);
    }
    t.is(a.listener.transport.streamBacklog('127.0.0.1:1'), 0);
  });

  test(`${name}: many small messages in one turn arrive in order`, async (t) => {
    const [a, b] = await nodes(t, network(), 2, freshDomain());
    const count = 20_000;
    for (let i = 0; i < count; i++) a.transport.stream(b.address, bytesOf(`${i}`));
    await b.until(() => b.messages.length === count);
    t.true(b.messages.every((each, i) => textOf(each) === `${i}` && each.from === a.address));
  });

  test(`${name}: a peer that closes is told as down, once, after its last words`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    a.transport.stream(b.address, bytesOf('to b'));
    b.transport.stream(a.address, bytesOf('to a'));
    b.transport.stream(c.address, bytesOf('to c'));
    await Promise.all([a, b, c].map((node) => node.until(() => node.messages.length === 1)));
    b.transport.stream(a.address, bytesOf('last words'));
    await b.transport.close();
    // a wrote and read; c only read
    await a.until(() => a.downs.length > 0 && a.messages.length === 2);
    await c.until(() => c.downs.length > 0);
    t.is(textOf(a.messages[1]), 'last words');
    // what could still be told is told by the time these have gone round
    a.transport.stream(c.address, bytesOf('still here'));
    await c.until(() => c.messages.length === 2);
    c.transport.stream(a.address, bytesOf('so am I'));
    await a.until(() => a.messages.length === 3);
    t.deepEqual(
      a.downs.map((each) => each.to),
      [b.address],
    );
    t.deepEqual(
      c.downs.map((each) => each.to),
      [b.address],
    );
    t.not(a.downs[0]?.why, '');
  });

  test(`${name}: a peer that is not there is told as down, once per attempt`, async (t) => {
    const [a] = await nodes(t, network(), 1, freshDomain());
    // of another network: a was never connected to it. The second, for the first may have the address that a has
    const [, b] = await nodes(t, network(), 2, freshDomain());
    await b.transport.close();
    for (let i = 1; i <= 3; i++) {
      a.transport.stream(b.address, bytesOf('hello?'));
      a.transport.stream(b.address, bytesOf('hello?'));
      await a.until(() => a.downs.length === i);
      t.is(a.downs[i - 1]?.to, b.address);
      t.is(a.transport.streamBacklog(b.address), 0);
    }
  });

  test(`${name}: a tether tells that its peer is gone, at both ends, though nothing was written`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    a.transport.tether([b.address, c.address]);
    t.is(await a.transport.probe(b.address), 'somebody');
    // a message behind the greeting shows that the tethers are there
    for (const each of [b, c]) a.transport.stream(each.address, bytesOf('hello'));
    await Promise.all([b, c].map((each) => each.until(() => each.messages.length === 1)));
    await b.transport.close();
    await a.until(() => a.downs.length === 1);
    t.like(a.downs[0], { to: b.address, wasUp: true });
    t.is(await a.transport.probe(b.address), 'nobody');
    a.transport.tether([c.address]);
    await a.transport.close();
    // c may have had a connection to b as well
    await c.until(() => c.downs.some(({ to }) => to === a.address));
    t.like(c.downs.at(-1), { to: a.address, wasUp: true });
    t.is(a.downs.length, 1);
  });

  test(`${name}: a tether to where nobody is stays untold, and is there once something is written`, async (t) => {
    const [a] = await nodes(t, network(), 1, freshDomain());
    const [, b] = await nodes(t, network(), 2, freshDomain());
    await b.transport.close();
    a.transport.tether([b.address]);
    for (let i = 0; i < 3; i++) t.is(await a.transport.probe(b.address), 'nobody');
    t.deepEqual(a.downs, []);
    a.transport.stream(b.address, bytesOf('hello?'));
    await a.until(() => a.downs.length === 1);
    t.like(a.downs[0], { to: b.address, wasUp: false });
  });

  test(`${name}: streams work again after a peer has come back`, async (t) => {
    const open = network();
    const domain = freshDomain();
    const [a, b] = await nodes(t, open, 2, domain);
    a.transport.stream(b.address, bytesOf('one'));
    await b.until(() => b.messages.length === 1);
    await b.transport.close();
    await a.until(() => a.downs.length === 1);
    const [again] = await nodes(t, open, 1, domain);
    t.not(again.address, b.address);
    a.transport.stream(again.address, bytesOf('two'));
    again.transport.stream(a.address, bytesOf('three'));
    await again.until(() => again.messages.length === 1);
    await a.until(() => a.messages.length === 1);
    t.is(textOf(again.messages[0]), 'two');
    t.is(again.messages[0]?.from, a.address);
    t.is(a.downs.length, 1);
  });

  test(`${name}: a stream takes what it is given inside the handler that told of its break`, async (t) => {
    const open = network();
    const domain = freshDomain();
    const [b, c] = await nodes(t, open, 2, domain);
    const downs: string[] = [];
    const handlers: TransportHandlers = {
      datagram: () => {},
      stream: () => {},
      error: () => {},
      tooLarge: () => {},
      moved: () => {},
      streamDown(to) {
        downs.push(to);
        if (downs.length < 3) a.stream(to, bytesOf('again'));
        else a.stream(c.address, bytesOf('gave up'));
      },
    };
    const a = await open(domain, handlers, undefined, true);
    t.teardown(() => a.close());
    await b.transport.close();
    a.stream(b.address, bytesOf('first'));
    await c.until(() => c.messages.length === 1);
    t.deepEqual(downs, [b.address, b.address, b.address]);
  });
}

/** A node that checks a stream as it comes: message i has the size and the bytes that belong to i. */
async function stream(t: ExecutionContext, open: TransportFactory, domain: string) {
  const node = { bytes: 0, count: 0, wrong: 0, expected: -1, listener: undefined as unknown as Listener };
  node.listener = await listen(open, domain, (bytes) => {
    const size = messageSizes[node.count % messageSizes.length] ?? 0;
    if (!same(bytes, pattern(size, node.count))) node.wrong += 1;
    node.count += 1;
    node.bytes += bytes.length;
  });
  t.teardown(() => node.listener.transport.close());
  return node;
}

function closeTests({ name, network }: Spec): void {
  test(`${name}: close resolves, and nothing arrives after`, async (t) => {
    const [a, b, c] = await nodes(t, network(), 3, freshDomain());
    a.transport.stream(b.address, bytesOf('before'));
    await b.until(() => b.messages.length === 1);
    const closed = b.transport.close();
    a.transport.multicast(bytesOf('after'));
    a.transport.unicast(b.address, bytesOf('after'));
    a.transport.stream(b.address, bytesOf('after'));
    b.transport.multicast(bytesOf('from the grave'));
    b.transport.unicast(a.address, bytesOf('from the grave'));
    b.transport.stream(a.address, bytesOf('from the grave'));
    await closed;
    await b.transport.close();
    await c.until(() => c.datagrams.length === 1);
    a.transport.multicast(bytesOf('after'));
    await c.until(() => c.datagrams.length === 2);
    t.deepEqual(c.datagrams.map(textOf), ['after', 'after']);
    t.deepEqual([b.datagrams, b.downs, b.errors], [[], [], []]);
    t.is(b.messages.length, 1);
    t.deepEqual([a.datagrams, a.messages], [[], []]);
  });

  test(`${name}: what was written before close arrives`, async (t) => {
    const [a, b] = await nodes(t, network(), 2, freshDomain());
    for (let i = 0; i < 5; i++) a.transport.stream(b.address, pattern(1_000_000, i));
    a.transport.multicast(bytesOf('farewell'));
    await a.transport.close();
    await b.until(() => b.messages.length === 5 && b.datagrams.length === 1);
    t.true(b.messages.every((each, i) => same(each.bytes, pattern(1_000_000, i))));
  });

  test(`${name}: tells what it is`, async (t) => {
    const [a, b] = await nodes(t, network(), 2, freshDomain());
    t.not(a.address, b.address);
    t.true(a.transport.description.includes(a.address));
    t.is(a.transport.datagramBytesMax, 60_000);
    t.true(a.transport.receiveBufferBytes >= 60_000);
    t.is(a.transport.datagramsPending, 0);
  });
}

/** Declares the whole suite for one kind of transport. */
export function compliance(spec: Spec): void {
  datagramTests(spec);
  streamTests(spec);
  closeTests(spec);
}
