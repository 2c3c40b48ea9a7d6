/**
 * What orders and strengths cost, as `docs/choosing.md` says: network delays until the last member has delivered, and
 * packets until everybody knows that all have, for one multicast in a group of four that is otherwise idle.
 */
import test from 'ava';
import type { Order } from '../../lib/membership/state.js';
import { type Network, actorOf, ask, at, grouped, isQuiet, multicast, run, runUntil, start } from './network.js';

const names = ['a', 'b', 'c', 'd'];

/** A packet takes a millisecond here, so delays are milliseconds; steps within a node take next to none. */
function delays(net: Network, from: number): number {
  return Math.floor(net.now - from);
}

function quietGroup(): Network {
  const net = grouped(names);
  run(net, 1000);
  return net;
}

/** By the coordinator, who is the sequencer, and by another. */
const costs: readonly (readonly [Order, boolean, readonly [number, number], readonly [number, number]])[] = [
  ['fifo', false, [1, 1], [4, 4]],
  ['causal', false, [1, 1], [4, 4]],
  ['total', false, [1, 2], [4, 5]],
  ['fifo', true, [2, 2], [4, 4]],
  ['causal', true, [2, 2], [4, 4]],
  ['total', true, [2, 3], [4, 7]],
];

for (const [order, uniform, hops, packets] of costs) {
  test(`${order}${uniform ? ', uniform' : ''}: delays and packets are as documented`, (t) => {
    ['a', 'c'].forEach((sender, i) => {
      const net = quietGroup();
      const [from, sent] = [net.now, net.sent];
      multicast(net, sender, 'm', { order, uniform });
      runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 1), 'all have delivered');
      t.is(delays(net, from), hops[i] as number, `delays of ${sender}`);
      runUntil(net, () => isQuiet(net), 'all is quiet');
      t.is(net.sent - sent, packets[i] as number, `packets of ${sender}`);
    });
  });
}

test('barrier: a decree and a view change', (t) => {
  const net = quietGroup();
  const from = net.now;
  multicast(net, 'c', 'm', { order: 'barrier' });
  runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 1), 'all have delivered');
  t.is(delays(net, from), 6);
});

test('ask: one more than the multicast; from outside one more to the contact, total and uniform', (t) => {
  const net = quietGroup();
  let from = net.now;
  const asked = ask(net, 'a', 'how', { as: 'member' });
  runUntil(net, () => asked.end() !== undefined, 'all have replied');
  t.is(delays(net, from), 2);
  start(net, 'k');
  runUntil(net, () => at(net, 'k').node.domain?.nodes.length === 5, 'k is in the domain');
  run(net, 1000);
  from = net.now;
  const request = ask(net, 'k', 'how');
  runUntil(net, () => request.end() !== undefined, 'all have replied');
  t.true(delays(net, from) <= 5, `${delays(net, from)}`);
});
