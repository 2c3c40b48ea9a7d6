/** The orders, and uniformity: when a multicast is delivered, in which place, and when it is dropped instead. */
import test from 'ava';
import {
  type Network,
  actorOf,
  at,
  crash,
  grouped,
  isQuiet,
  multicast,
  nameOfDelivery,
  release,
  run,
  runUntil,
  texts,
} from '../network.js';

test('a FIFO multicast is delivered on receipt, a uniform one when all have it', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ to, holds }) => (to === 'at-c' && holds.includes('data') ? 'hold' : 'pass');
  multicast(net, 'a', 'plain', { order: 'fifo' });
  multicast(net, 'a', 'safe', { order: 'fifo', uniform: true });
  multicast(net, 'a', 'behind', { order: 'fifo' });
  run(net, 30);
  for (const name of ['a', 'b'])
    t.deepEqual(texts(actorOf(at(net, name))), ['plain'], `${name}: FIFO holds behind a safe one`);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['plain', 'safe', 'behind'], name);
});

for (const order of ['fifo', 'causal', 'total'] as const) {
  test(`a uniform ${order} multicast is not delivered on receipt of the cut, but with the view`, (t) => {
    const net = grouped(['a', 'b', 'c', 'd']);
    const isRepair = (holds: readonly string[]): boolean => holds.includes('row') || holds.includes('nak');
    net.rule = ({ from, to, holds }) => {
      if (from === 'at-d' && holds.includes('data')) return to === 'at-a' ? 'pass' : 'drop';
      return isRepair(holds) ? 'drop' : 'pass';
    };
    multicast(net, 'd', 'safe', { order, uniform: true });
    run(net, 1.5);
    let haveAll = 0;
    // all say that they have all of the cut, in words and in rows, and a learns that c does only at the end
    net.rule = ({ from, holds }) => {
      if (holds.includes('have-all')) haveAll++;
      if (holds.includes('nak')) return 'drop';
      return from === 'at-c' && holds.includes('have-all') ? 'hold' : 'pass';
    };
    crash(net, 'd');
    runUntil(net, () => net.held.length > 0 && haveAll > 1, 'all hold the cut');
    run(net, 100);
    for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), [], `${name}: not yet`);
    net.rule = () => 'pass';
    release(net);
    runUntil(net, () => isQuiet(net), 'a view of three');
    for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['safe'], name);
  });
}

test('a uniform multicast waits until what stands before it in the order is stable as well', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c lacks b's plain multicast, which stands first
  net.rule = ({ from, to, holds }) => {
    if (to === 'at-c' && from === 'at-b' && holds.includes('data')) return 'hold';
    return holds.includes('nak') ? 'drop' : 'pass';
  };
  multicast(net, 'b', 'plain');
  run(net, 5);
  multicast(net, 'a', 'safe', { uniform: true });
  run(net, 30);
  t.deepEqual(texts(actorOf(at(net, 'a'))), ['plain']);
  t.deepEqual(texts(actorOf(at(net, 'b'))), ['plain']);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['plain', 'safe'], name);
});

test('a uniform total multicast waits until its assignment is stable, not only its body', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c does not get what the sequencer says
  net.rule = ({ from, to, holds }) => {
    if (from === 'at-a' && to === 'at-c' && holds.includes('data')) return 'hold';
    return holds.includes('nak') ? 'drop' : 'pass';
  };
  multicast(net, 'b', 'safe', { uniform: true });
  run(net, 50);
  const current = at(net, 'b').node.groups.get('g')?.current;
  t.is(current?.stability.stable(1), current?.streams[1]?.received, 'the body is stable');
  t.is(current?.runs.length, 1, 'it is assigned');
  for (const name of ['a', 'b']) t.deepEqual(texts(actorOf(at(net, name))), [], name);
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['safe'], name);
});

test('total multicasts have one order and consecutive positions, which carry on across views', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  const burst = (count: number): void => {
    for (let i = 0; i < count; i++) {
      for (const name of net.members.keys()) multicast(net, name, `${name}${i}`, { uniform: i % 3 === 0 });
      run(net, 0.7);
    }
  };
  burst(20);
  crash(net, 'a');
  burst(20);
  runUntil(net, () => isQuiet(net), 'all is stable');
  const [first, ...others] = ['b', 'c', 'd'].map((name) => actorOf(at(net, name)).deliveries);
  t.deepEqual(
    first?.map(({ position }) => position),
    first?.map((_, i) => i + 1 + (first[0]?.position ?? 1) - 1),
  );
  for (const other of others) t.deepEqual(other.map(nameOfDelivery), first?.map(nameOfDelivery));
});

test('the sequencer orders its own multicasts without assignments', (t) => {
  const net = grouped(['a', 'b']);
  run(net, 100);
  net.sent = 0;
  for (let i = 0; i < 10; i++) multicast(net, 'a', `${i}`);
  run(net, 50);
  t.true(net.sent <= 10 + 3, `${net.sent} packets for ten multicasts`);
  t.deepEqual(
    actorOf(at(net, 'b')).deliveries.map(({ position }) => position),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

/** c multicasts to d alone, d answers to all, and both die before anybody can ask for what c said. */
function orphan(net: Network, order: 'causal' | 'total'): void {
  const isRepair = (holds: readonly string[]): boolean => holds.includes('row') || holds.includes('nak');
  net.rule = ({ from, to, holds }) => {
    if (from === 'at-c' && holds.includes('data') && to !== 'at-d') return 'drop';
    return isRepair(holds) ? 'drop' : 'pass';
  };
  multicast(net, 'c', 'cause', { order: 'causal' });
  run(net, 1.5);
  multicast(net, 'd', 'effect', { order });
  multicast(net, 'd', 'effect of the effect', { order });
  multicast(net, 'd', 'apart', { order: 'fifo' });
  run(net, 1.5);
  crash(net, 'c');
  crash(net, 'd');
  net.rule = () => 'pass';
}

for (const order of ['causal', 'total'] as const) {
  test(`a ${order} multicast whose past died with its senders is dropped by all, and said so`, (t) => {
    const net = grouped(['a', 'b', 'e', 'c', 'd']);
    orphan(net, order);
    runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 3, 'a view of three');
    for (const name of ['a', 'b', 'e']) {
      t.deepEqual(texts(actorOf(at(net, name))), ['apart'], name);
      t.true(
        at(net, name).told.some((each) => each.kind === 'log' && /multicasts dropped/.test(each.message)),
        name,
      );
    }
    multicast(net, 'b', 'first');
    runUntil(net, () => isQuiet(net) && texts(actorOf(at(net, 'e'))).includes('first'), 'it goes on');
    for (const name of ['a', 'b', 'e'])
      t.is(actorOf(at(net, name)).deliveries.at(-1)?.position, 1, 'positions close up');
  });
}

test('a multicast is for its sender to act upon, or for the oldest that goes on if its sender is gone', (t) => {
  const net = grouped(['a', 'b', 'c', 'd']);
  // d's multicast is ordered by nobody before d dies
  net.rule = ({ from, to, holds }) => (from === 'at-d' && holds.includes('data') && to === 'at-a' ? 'drop' : 'pass');
  multicast(net, 'b', 'mine');
  multicast(net, 'd', 'orphaned');
  run(net, 1.5);
  net.rule = ({ holds }) => (holds.includes('nak') ? 'drop' : 'pass');
  crash(net, 'd');
  runUntil(net, () => isQuiet(net), 'a view of three');
  const mine = (name: string): string[] =>
    actorOf(at(net, name))
      .deliveries.filter((item) => item.mine)
      .map((item) => new TextDecoder().decode(item.payload));
  t.deepEqual(mine('a'), ['orphaned']);
  t.deepEqual(mine('b'), ['mine']);
  t.deepEqual(mine('c'), []);
});
