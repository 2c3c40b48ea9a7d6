/** The same over sockets: two systems in a process, UDP multicast on the loopback interface. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { dispatch, type Ref } from 'nact';
import {
  domain,
  ExposedError,
  InvalidOption,
  memory,
  memoryHub,
  multicast,
  read,
  ready,
  spawnReplicated,
  tcp,
  TransportError,
  udpMulticast,
  type GroupRef,
} from '../../actors/index.js';
import { domainMulticast } from '../../transport/addresses.js';
import type { Transport, TransportFactory } from '../../transport/transport.js';
import { refuseDatagrams } from '../transport/refusals.js';
import { append, eventually, first, freshDomain, system, viewOf } from './systems.js';

test.serial('a group over UDP multicast', async (t) => {
  // nobody dies here: a machine that is busy must not look like it
  const detector = { heartbeat: 100, timeout: 10_000, discovery: 200 };
  const options = { domain: freshDomain(), transport: udpMulticast(), detector };
  const refs = ['a', 'b'].map((name) =>
    spawnReplicated(system(t, memoryHub(), name, options), append, 'g', { initialState: [] }),
  );
  const [a, b] = refs as [GroupRef<number, readonly number[]>, GroupRef<number, readonly number[]>];
  await Promise.all(refs.map((ref) => viewOf(ref, 2)));
  for (let i = 0; i < 5000; i++) dispatch(i % 2 ? a : b, i);
  await multicast(a, -1).stable;
  await eventually(async () => (await read(b, (state) => state.length)) === 5001, 'everything at b');
  await eventually(async () => (await read(a, (state) => state.length)) === 5001, 'everything at a');
  const states = await Promise.all(refs.map((ref) => read(ref, (state) => state)));
  t.deepEqual(states[0], states[1]);
});

test.serial('a system that takes no large datagrams gets small ones', async (t) => {
  const detector = { heartbeat: 100, timeout: 10_000, discovery: 200 };
  const options = { domain: freshDomain(), transport: udpMulticast(), detector };
  const systems = ['a', 'b'].map((name) => system(t, memoryHub(), name, options));
  const count = (sum: number, text: string): number => sum + text.length;
  const [a, b] = systems.map((each) => spawnReplicated(each, count, 'g', { initialState: 0 })) as [
    GroupRef<string, number>,
    GroupRef<string, number>,
  ];
  await Promise.all([a, b].map((ref) => viewOf(ref, 2)));
  let [refused, most, isMeasured] = [0, 0, false];
  refuseDatagrams(t, (bytes) => {
    if (bytes > 9216) {
      refused += 1;
      return 'EMSGSIZE';
    }
    if (isMeasured) most = Math.max(most, bytes);
    return null;
  });
  // they share frames, and one is larger than any datagram
  for (let i = 0; i < 50; i++) dispatch(a, 'x'.repeat(5000));
  await multicast(a, 'that was all').stable;
  isMeasured = true;
  await multicast(a, 'x'.repeat(150_000)).stable;
  await eventually(async () => (await read(b, (sum) => sum)) === 400_012, 'everything at b');
  t.true(refused > 0 && most <= 1200, `${refused} refused, then up to ${most} bytes`);
  const { datagramsRefused } = domain(systems[0] as Ref<never>).statistics();
  t.is(datagramsRefused, refused);
});

test.serial('an interface that does not exist is a clear error', async (t) => {
  const node = system(t, memoryHub(), 'a', {
    domain: freshDomain(),
    transport: udpMulticast({ interface: '192.0.2.1' }),
  });
  const error = await t.throwsAsync(ready(node));
  t.regex(error?.message ?? '', /192\.0\.2\.1/);
});

test.serial('a transport that reaches beyond the machine is opened only if that is spelled out', async (t) => {
  const hub = memoryHub();
  let closed = 0;
  const transport: TransportFactory = async (domain, handlers) => {
    const opened = await memory(hub)(domain, handlers);
    const close = () => {
      closed += 1;
      return opened.close();
    };
    return Object.assign(Object.create(opened) as Transport, { isLocal: false, close });
  };
  const refused = await t.throwsAsync(ready(system(t, hub, 'a', { transport })), { instanceOf: InvalidOption });
  t.regex(refused?.message ?? '', /insecure: true/);
  t.is(closed, 1);
  await ready(system(t, hub, 'b', { transport, insecure: true }));
  t.throws(() => system(t, hub, 'c', { transport, insecure: 'yes' as never }), { instanceOf: InvalidOption });
});

const outer = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal);

(outer ? test.serial : test.serial.skip)('an interface that is not loopback is such a transport', async (t) => {
  const options = { domain: freshDomain(), transport: udpMulticast({ interface: outer?.address as string }) };
  const error = await t.throwsAsync(ready(system(t, memoryHub(), 'a', options)), { instanceOf: InvalidOption });
  t.regex(error?.message ?? '', /insecure: true/);
  const b = system(t, memoryHub(), 'b', { ...options, insecure: true });
  await ready(b);
  await ready(system(t, memoryHub(), 'c', { ...options, key: 'ab'.repeat(32) }));
  // it shows where it is, and is in
  await ready(system(t, memoryHub(), 'd', { ...options, insecure: true }));
  const { nodes } = await first(domain(b).views, ({ nodes: all }) => all.length > 1);
  t.deepEqual(
    nodes.map(({ name }) => name),
    ['b', 'd'],
  );
});

(outer ? test.serial : test.serial.skip)(
  'who is refused for want of a key has opened no socket, and seeds hear nothing of it',
  async (t) => {
    const host = outer?.address as string;
    // whoever opened a socket there would fail for that
    const [taken, takenGroup] = [await portOf(t, host), domainMulticast(freshDomain())];
    const group = createSocket('udp4');
    t.teardown(() => group.close());
    group.bind(takenGroup.port, takenGroup.address);
    await once(group, 'listening');
    let greeted = 0;
    const seed = createServer((socket) => {
      greeted += 1;
      socket.destroy();
    }).listen(0, host);
    t.teardown(() => seed.close());
    await once(seed, 'listening');
    const { port } = seed.address() as AddressInfo;
    const seeds = [`${host}:${port}`];
    for (const transport of [
      tcp({ listen: `${host}:${taken}`, seeds }),
      tcp({ listen: `0.0.0.0:${taken}`, seeds }),
      tcp({ listen: `127.0.0.1:${taken}`, advertise: host, seeds }),
      udpMulticast({ interface: host, ...takenGroup }),
      udpMulticast({ interface: host, unicastPort: taken }),
    ]) {
      const refused = await t.throwsAsync(ready(system(t, memoryHub(), 'a', { transport })), {
        instanceOf: InvalidOption,
      });
      t.regex(refused?.message ?? '', /^not opened without protection.*reaches beyond this machine.*insecure: true/);
      t.true(refused?.cause instanceof ExposedError);
    }
    // connections are accepted in the order in which they came
    connect(port, host).on('error', () => undefined);
    await once(seed, 'connection');
    t.is(greeted, 1, 'by this test');
    for (const transport of [
      tcp({ listen: `${host}:${taken}`, seeds }),
      udpMulticast({ interface: host, ...takenGroup }),
    ])
      await t.throwsAsync(ready(system(t, memoryHub(), 'a', { transport, insecure: true })), {
        instanceOf: TransportError,
        message: /EADDRINUSE/,
      });
  },
);

/** A port on all addresses of this machine that is taken until the test ends, by TCP and by UDP on this one. */
async function portOf(t: ExecutionContext, host: string): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.bind(port, host);
  await once(socket, 'listening');
  return port;
}

test.serial("a node's name has the length that the protocol takes", async (t) => {
  await ready(system(t, memoryHub(), 'é'.repeat(64)));
  t.throws(() => system(t, memoryHub(), 'é'.repeat(64) + 'n'), { instanceOf: InvalidOption, message: /128 bytes/ });
});
