/** What a node hears of its groups, and which multicasts are shown. */
import test from 'ava';
import { createEar, followDomain, hear, heardView } from '../../actors/inspector/ear.js';
import type { Seen } from '../../actors/inspector/format.js';
import { createSampling, isSampled, maybeShow, reviewSampling } from '../../actors/inspector/sampling.js';
import { matrixOf } from '../../lib/inspect.js';
import type { DomainState } from '../../lib/membership/state.js';
import { actorOf, at, grouped, isQuiet, multicast, run, runUntil } from '../lib/network.js';

test('a node that listens knows in the end what a member knows, and what became of each multicast', (t) => {
  const names = ['a', 'b', 'c'];
  const net = grouped(names);
  run(net, 1000);
  const ear = createEar(at(net, 'c').node.self, createSampling(0));
  followDomain(ear, at(net, 'c').node.domain as DomainState);
  const records: Seen[] = [];
  net.rule = ({ bytes, by, to, from }) => {
    // c hears what comes to it and what it sends, once
    const isHeard = by === 'multicast' && (to === 'at-c' || to === 'c' || (from.endsWith('c') && to.endsWith('a')));
    if (isHeard) hear(ear, bytes, net.now, net.now * 1e6, (record) => records.push(record));
    return 'pass';
  };
  for (let i = 0; i < 4; i++) multicast(net, 'b', new Uint8Array(10), { order: 'total' });
  runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 4), 'all have delivered');
  runUntil(net, () => isQuiet(net), 'all is quiet');

  const b = at(net, 'b').node.self;
  const kinds = (id: string) => records.filter((record) => 'id' in record && record.id === id).map(({ e }) => e);
  for (const id of [1, 2, 3, 4].map((number) => `${b}:${number}`)) {
    const told = kinds(id);
    t.is(told[0], 'send');
    // by a and by c itself, each once, and before it is said that all have it
    t.deepEqual(told.slice(1), ['received', 'received', 'stable']);
  }
  t.is(ear.followed.size, 0);
  t.is(ear.stabilities.length, 4);
  const heard = heardView(ear, 'g');
  const own = matrixOf(at(net, 'c').node, 'g');
  t.deepEqual([...(heard?.received ?? [])], own?.received.flat());
});

test('few multicasts are all shown; of many one of so many, the same everywhere; and all again when there are few', (t) => {
  const sampling = createSampling(0);
  for (let message = 1; message <= 10; message++) t.true(isSampled(sampling, message) && maybeShow(sampling));
  reviewSampling(sampling, 1000);
  t.is(sampling.every, 1);
  let shown = 0;
  for (let second = 1; second <= 12; second++) {
    shown = 0;
    for (let message = 0; message < 5000; message++) {
      if (isSampled(sampling, message) && maybeShow(sampling)) shown += 1;
    }
    reviewSampling(sampling, 1000 * (second + 1));
  }
  t.true(shown > 5 && shown <= 90, `${shown}`);
  t.true(sampling.every >= 64);
  t.is(Math.log2(sampling.every) % 1, 0);
  for (let second = 0; second < 20; second++) reviewSampling(sampling, 20_000 + 1000 * second);
  t.is(sampling.every, 1);
});
