/** What UDP multicast does when the system does not take a datagram. One test at a time: they change what all sockets do. */
import test from 'ava';
import { udpMulticast } from '../../transport/udp-multicast.js';
import { freshDomain, nodes } from './compliance.js';
import { bytesOf, textOf } from './listener.js';
import { refuseDatagrams } from './refusals.js';

test.serial(
  'udp: a datagram that is too large for the system is told of to whoever sends, and once in the log',
  async (t) => {
    const [a, b] = await nodes(t, udpMulticast(), 2, freshDomain());
    // as macOS does
    refuseDatagrams(t, (bytes) => (bytes > 9216 ? 'EMSGSIZE' : null));
    for (let i = 0; i < 10; i++) a.transport.multicast(new Uint8Array(20_000));
    a.transport.unicast(b.address, new Uint8Array(9217));
    await a.until(() => a.refusals.length === 11 && a.errors.length > 0);
    a.transport.multicast(bytesOf('small'));
    await b.until(() => b.datagrams.length === 1);
    t.is(textOf(b.datagrams[0]), 'small');
    t.is(a.errors.length, 1);
    t.regex(a.errors[0]?.message ?? '', /EMSGSIZE/);
    t.like(a.transport.statistics(), { datagramsRefused: 11, datagramsDropped: 0 });
  },
);

test.serial('udp: a system without buffers is left alone for a moment, and what waits is sent then', async (t) => {
  const [a, b] = await nodes(t, udpMulticast(), 2, freshDomain());
  let tries = 0;
  refuseDatagrams(t, () => ((tries += 1) <= 3 ? 'ENOBUFS' : null));
  a.transport.unicast(b.address, bytesOf('lost'));
  await a.until(() => a.errors.length === 1);
  t.regex(a.errors[0]?.message ?? '', /ENOBUFS.*rests for a moment/);
  // none of these is tried before the rest is over
  for (let i = 0; i < 99; i++) a.transport.unicast(b.address, bytesOf(`${i}`));
  t.false(a.transport.multicast(bytesOf('99')), 'its bytes are still needed');
  t.is(tries, 1);
  t.is(a.transport.datagramsPending, 100);
  await b.until(() => b.datagrams.some((each) => textOf(each) === '99'));
  t.is(b.datagrams.length, 98);
  t.is(a.transport.datagramsPending, 0);
  t.like(a.transport.statistics(), { datagramsRefused: 3, datagramsDropped: 0 });
});

test.serial('udp: what waits for a system without buffers is bounded, and what is dropped counted', async (t) => {
  const [a] = await nodes(t, udpMulticast(), 1, freshDomain());
  refuseDatagrams(t, () => 'ENOBUFS');
  a.transport.multicast(bytesOf('first'));
  await a.until(() => a.errors.length === 1);
  for (let i = 0; i < 200; i++) a.transport.multicast(new Uint8Array(60_000));
  t.is(a.transport.statistics()['datagramsDropped'], 200 - Math.floor((8 * 1024 * 1024) / 60_000));
  await a.until(() => a.errors.some(({ message }) => /wait for the system to take them/.test(message)));
});

for (const [code, words] of [
  ['EPERM', /packet filter/],
  ['ENETUNREACH', /interface may be down/],
  ['EADDRNOTAVAIL', /address of this node is gone/],
] as const) {
  test.serial(`udp: ${code} is told with what it means, and counted`, async (t) => {
    const [a, b] = await nodes(t, udpMulticast(), 2, freshDomain());
    let isRefused = true;
    refuseDatagrams(t, () => (isRefused ? code : null));
    for (let i = 0; i < 50; i++) a.transport.multicast(bytesOf('in vain'));
    await a.until(() => a.errors.length === 2);
    t.regex(a.errors[0]?.message ?? '', words);
    t.regex(a.errors[1]?.message ?? '', /49 times/);
    t.is(a.transport.statistics()['datagramsRefused'], 50);
    isRefused = false;
    a.transport.multicast(bytesOf('again'));
    await b.until(() => b.datagrams.length === 1);
    t.is(textOf(b.datagrams[0]), 'again');
  });
}
