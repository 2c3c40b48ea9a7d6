/** What a looker-on hears is what was sent and what the members have; bytes that make no sense tell nothing. */
import test from 'ava';
import { matrixOf, hearing, lack } from '../../lib/inspect.js';
import { eachMulticast, overhear, type Overheard, type OverheardMulticast } from '../../lib/overhear.js';
import { type Network, actorOf, at, grouped, isQuiet, multicast, run, runUntil } from './network.js';

const names = ['a', 'b', 'c'];

/** All that is said to all, by whoever. */
function overhearing(net: Network): { readonly heard: Overheard[]; readonly packets: Uint8Array[] } {
  const heard: Overheard[] = [];
  const packets: Uint8Array[] = [];
  const seen = new Set<string>();
  net.rule = ({ bytes, by }) => {
    // each packet comes by once for each receiver
    if (by === 'multicast' && !seen.has(bytes.join())) {
      packets.push(bytes);
      overhear(
        bytes,
        () => names.length,
        (each) => heard.push(each),
      );
    }
    seen.add(bytes.join());
    return 'pass';
  };
  return { heard, packets };
}

test('multicasts are told of with their numbers, orders and places in the stream, and rows with what is received', (t) => {
  const net = grouped(names);
  run(net, 1000);
  const { heard } = overhearing(net);
  multicast(net, 'b', new Uint8Array(100), { order: 'fifo' });
  multicast(net, 'b', new Uint8Array(200), { order: 'total', uniform: true });
  runUntil(net, () => names.every((name) => actorOf(at(net, name)).deliveries.length === 2), 'all have delivered');
  runUntil(net, () => isQuiet(net), 'all is quiet');

  const { view, members, received, paused } = matrixOf(at(net, 'a').node, 'g') ?? t.fail('a has no matrix');
  t.deepEqual(
    members,
    names.map((name) => at(net, name).node.self),
  );
  t.deepEqual(paused, [false, false, false]);
  t.true(heard.every((each) => each.view === view));

  const told: OverheardMulticast[] = [];
  for (const { records } of heard) {
    if (records?.rank === 1) eachMulticast(records, (each) => told.push(each));
  }
  t.deepEqual(
    told.map(({ message, order, uniform }) => ({ message, order, uniform })),
    [
      { message: 1, order: 'fifo', uniform: false },
      { message: 2, order: 'total', uniform: true },
    ],
  );
  t.is(told[0]?.bytes, 100);

  // the rows that were heard come to what the member has
  const rank = new Map(names.map((name, i) => [at(net, name).node.options.incarnation, i]));
  const rows = names.map(() => names.map(() => 0));
  for (const { source, received: entries, records } of heard) {
    const row = rows[rank.get(source) as number] as number[];
    for (const each of entries) row[each.rank] = Math.max(row[each.rank] as number, each.count);
    if (records) row[records.rank] = Math.max(row[records.rank] as number, records.first + records.count - 1);
  }
  t.deepEqual(rows, received as number[][]);
});

test('without the size of the view a row tells nothing, and no damaged packet throws', (t) => {
  const net = grouped(names);
  run(net, 1000);
  const { packets } = overhearing(net);
  multicast(net, 'a', new Uint8Array(50), { order: 'causal' });
  runUntil(net, () => isQuiet(net), 'all is quiet');
  let sections = 0;
  for (const packet of packets) {
    overhear(
      packet,
      () => undefined,
      ({ records }) => {
        sections += 1;
        t.not(records, null);
      },
    );
    for (let i = 0; i < packet.length; i++) {
      const bytes = packet.slice();
      bytes[i] = ~(bytes[i] as number);
      overhear(
        bytes,
        () => names.length,
        ({ records }) => records && eachMulticast(records, () => undefined),
      );
      overhear(
        packet.subarray(0, i),
        () => names.length,
        ({ records }) => records && eachMulticast(records, () => undefined),
      );
    }
  }
  t.true(sections > 0);
});

test('who is heard, since when, and what a quorum is missing', (t) => {
  const net = grouped(names);
  run(net, 1000);
  const { node } = at(net, 'a');
  const [self, ...others] = hearing(node, net.now);
  t.is(self?.silence, null);
  t.is(others.length, 2);
  for (const { silence, suspected } of others) {
    t.true(silence !== null && silence <= 100);
    t.false(suspected);
  }
  t.is(lack(node), null);
  net.rule = () => 'drop';
  run(net, 2000);
  t.true(hearing(node, net.now).every(({ suspected, id }) => suspected === (id !== node.self)));
  t.regex(lack(node) ?? '', /b#|c#/);
});
