/** The transport in memory does what every transport must, and what the rules of its hub say. */
import test from 'ava';
import { memory, memoryHub, pass } from '../../transport/memory.js';
import type { Packet, Verdict } from '../../transport/memory.js';
import { compliance, freshDomain, nodes } from './compliance.js';
import { bytesOf, textOf } from './listener.js';

compliance({ name: 'memory', network: () => memory(memoryHub()) });

/** A network that treats packets by what is written on them: 'drop it' is dropped. */
function faulty(verdicts: Readonly<Record<string, Verdict>>) {
  const seen: Packet[] = [];
  const hub = memoryHub((packet) => {
    seen.push(packet);
    return verdicts[textOf(packet)] ?? pass;
  });
  return { open: memory(hub), seen };
}

test('memory: a rule drops, delays and duplicates datagrams', async (t) => {
  const { open, seen } = faulty({
    lost: { kind: 'drop' },
    late: { kind: 'delay', millis: 5 },
    twice: { kind: 'duplicate', copies: 2 },
  });
  const [a, b] = await nodes(t, open, 2, freshDomain());
  for (const text of ['lost', 'late', 'twice', 'plain']) a.transport.multicast(bytesOf(text));
  await b.until(() => b.datagrams.length === 4);
  t.deepEqual(b.datagrams.map(textOf), ['twice', 'twice', 'plain', 'late']);
  t.deepEqual(
    seen.map(({ kind, from, to }) => [kind, from, to]),
    Array.from({ length: 4 }, () => ['multicast', a.address, b.address]),
  );
});

test('memory: a rule delays a stream and what is behind it, or breaks it at both ends', async (t) => {
  const { open } = faulty({ late: { kind: 'delay', millis: 5 }, broken: { kind: 'drop' } });
  const [a, b] = await nodes(t, open, 2, freshDomain());
  for (const text of ['first', 'late', 'behind']) a.transport.stream(b.address, bytesOf(text));
  await b.until(() => b.messages.length === 3);
  t.deepEqual(b.messages.map(textOf), ['first', 'late', 'behind']);
  for (const text of ['good', 'broken', 'lost']) a.transport.stream(b.address, bytesOf(text));
  await a.until(() => a.downs.length === 1);
  await b.until(() => b.downs.length === 1);
  a.transport.stream(b.address, bytesOf('anew'));
  await b.until(() => b.messages.length === 5);
  t.deepEqual(b.messages.map(textOf).slice(3), ['good', 'anew']);
  t.is(a.downs.length, 1);
});

test('memory: a receiver that does not keep up loses datagrams, and says so', async (t) => {
  const [a, b] = await nodes(t, memory(memoryHub()), 2, freshDomain());
  const size = 60_000;
  const fits = Math.floor(b.transport.receiveBufferBytes / size);
  for (let i = 0; i < fits + 5; i++) a.transport.unicast(b.address, new Uint8Array(size));
  await b.until(() => b.datagrams.length === fits && b.errors.length > 0);
  t.regex(b.errors[0]?.message ?? '', /buffer is full/);
  a.transport.unicast(b.address, bytesOf('room again'));
  await b.until(() => b.datagrams.length === fits + 1);
  t.is(textOf(b.datagrams[fits]), 'room again');
});
