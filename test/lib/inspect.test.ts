/** The counters of what a node sends: what is data, what acknowledges, and how much of it is the user's. */
import test from 'ava';
import { statistics } from '../../lib/inspect.js';
import { type Network, actorOf, at, grouped, isQuiet, multicast, run, runUntil } from './network.js';

const names = ['a', 'b', 'c', 'd'];

/** Sums over all nodes. */
function sums(net: Network): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of names) {
    for (const [key, value] of Object.entries(statistics(at(net, name).node))) found[key] = (found[key] ?? 0) + value;
  }
  return found;
}

test('a multicast that nothing follows: one packet of data, an acknowledgement of each other member', (t) => {
  const net = grouped(names);
  run(net, 1000);
  const before = sums(net);
  multicast(net, 'b', new Uint8Array(500), { order: 'fifo' });
  runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 1), 'all have delivered');
  runUntil(net, () => isQuiet(net), 'all is quiet');
  const after = sums(net);
  const grown = (key: string) => (after[key] as number) - (before[key] as number);
  t.is(grown('packetsOut'), 4);
  t.is(grown('packetsWithoutDataOut'), 3);
  t.is(grown('acksOut'), 3);
  t.is(grown('payloadBytesOut'), 500);
  t.true(grown('bytesOut') > 500);
});

test('what is sent again is data, and no payload for a second time', (t) => {
  const net = grouped(names);
  run(net, 1000);
  const before = sums(net);
  let lost = 0;
  net.rule = ({ holds }) => (holds.includes('data') && lost++ === 0 ? 'drop' : 'pass');
  multicast(net, 'b', new Uint8Array(500), { order: 'fifo' });
  runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 1), 'all have delivered');
  const after = sums(net);
  const grown = (key: string) => (after[key] as number) - (before[key] as number);
  t.true(grown('packetsOut') - grown('packetsWithoutDataOut') >= 2, 'sent, and sent again');
  t.is(grown('payloadBytesOut'), 500);
});
