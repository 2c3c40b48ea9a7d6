/** The network that the tests of nodes run on: what they take for granted holds. */
import test from 'ava';
import { actorOf, at, crash, grouped, isQuiet, multicast, runUntil, texts } from './network.js';

test('three nodes form a group, and a multicast reaches all of them', (t) => {
  const net = grouped(['a', 'b', 'c']);
  multicast(net, 'b', 'hello');
  runUntil(net, () => isQuiet(net), 'all is stable');
  for (const name of ['a', 'b', 'c']) t.deepEqual(texts(actorOf(at(net, name))), ['hello'], name);
});

test('a crash makes a view without the dead, and the group goes on', (t) => {
  const net = grouped(['a', 'b', 'c']);
  crash(net, 'b');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).views.at(-1)?.members.length === 2, 'a view of two');
  multicast(net, 'c', 'after');
  runUntil(net, () => isQuiet(net) && actorOf(at(net, 'a')).deliveries.length > 0, 'it is delivered');
  t.deepEqual(actorOf(at(net, 'a')).state, actorOf(at(net, 'c')).state);
});
