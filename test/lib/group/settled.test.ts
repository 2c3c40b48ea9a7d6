/** A flush that a user asks for ends when what was there before it is stable, and does not wait for the dead. */
import test from 'ava';
import {
  type Network,
  act,
  actorOf,
  at,
  crash,
  grouped,
  isTogether,
  multicast,
  release,
  run,
  runUntil,
} from '../network.js';

const settled = (net: Network, name: string): number[] =>
  actorOf(at(net, name)).items.flatMap((item) => (item.kind === 'settled' ? [item.token] : []));

test('a flush ends when what was sent and what was delivered before it is stable', (t) => {
  const net = grouped(['a', 'b', 'c']);
  // c acknowledges nothing
  net.rule = ({ from }) => (from === 'at-c' ? 'hold' : 'pass');
  multicast(net, 'a', 'of a');
  run(net, 10);
  act(net, at(net, 'a'), { kind: 'flush', group: 'g', token: 1 });
  act(net, at(net, 'b'), { kind: 'flush', group: 'g', token: 2 });
  run(net, 50);
  t.deepEqual(
    [settled(net, 'a'), settled(net, 'b')],
    [[], []],
    'sent by one, delivered by the other, not at c for all they know',
  );
  net.rule = () => 'pass';
  release(net);
  runUntil(net, () => settled(net, 'a').length + settled(net, 'b').length === 2, 'both flushes end');
  act(net, at(net, 'a'), { kind: 'flush', group: 'g', token: 3 });
  t.deepEqual(settled(net, 'a'), [1, 3], 'with nothing under way it ends at once');
});

test('a flush ends with the view that removes whoever did not acknowledge', (t) => {
  const net = grouped(['a', 'b', 'c']);
  net.rule = ({ from, to }) => (from === 'at-c' || to === 'at-c' ? 'drop' : 'pass');
  multicast(net, 'b', 'of b');
  run(net, 10);
  act(net, at(net, 'b'), { kind: 'flush', group: 'g', token: 1 });
  run(net, 50);
  t.deepEqual(settled(net, 'b'), []);
  crash(net, 'c');
  runUntil(net, () => isTogether(net) && settled(net, 'b').length === 1, 'the flush ends');
  t.deepEqual(settled(net, 'b'), [1]);
});
